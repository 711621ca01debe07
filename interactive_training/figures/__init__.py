"""Pictures: functions and small classes that draw plain arrays on an Axes."""
