"""Right and wrong solutions of every exercise, as learners write them."""

import torch
from torch import nn

# train_step ---------------------------------------------------------------------------------------


def step_usual(model, optimizer, loss_fn, x, y):
    optimizer.zero_grad()
    loss = loss_fn(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def step_cleared_after(model, optimizer, loss_fn, x, y):
    loss = loss_fn(model(x), y)
    loss.backward()
    optimizer.step()
    for p in model.parameters():
        p.grad = None
    return float(loss)


def step_by_autograd(model, optimizer, loss_fn, x, y):
    loss = loss_fn(model(x), y)
    weights = list(model.parameters())
    for p, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
        p.grad = gradient
    optimizer.step()
    return loss.detach().item()


def step_kept_gradient(model, optimizer, loss_fn, x, y):
    loss = loss_fn(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def step_before_backward(model, optimizer, loss_fn, x, y):
    optimizer.zero_grad()
    loss = loss_fn(model(x), y)
    optimizer.step()
    loss.backward()
    return loss.item()


def step_late(model, optimizer, loss_fn, x, y):
    optimizer.step()
    optimizer.zero_grad()
    loss = loss_fn(model(x), y)
    loss.backward()
    return loss.item()


def step_twice(model, optimizer, loss_fn, x, y):
    optimizer.zero_grad()
    loss = loss_fn(model(x), y)
    loss.backward()
    optimizer.step()
    optimizer.step()
    return loss.item()


def step_returns_the_graph(model, optimizer, loss_fn, x, y):
    optimizer.zero_grad()
    loss = loss_fn(model(x), y)
    loss.backward()
    optimizer.step()
    return loss


def step_returns_nothing(model, optimizer, loss_fn, x, y):
    optimizer.zero_grad()
    loss_fn(model(x), y).backward()
    optimizer.step()


def step_loss_after(model, optimizer, loss_fn, x, y):
    optimizer.zero_grad()
    loss_fn(model(x), y).backward()
    optimizer.step()
    return loss_fn(model(x), y).item()


def step_own_rate(model, optimizer, loss_fn, x, y):
    model.zero_grad()
    loss = loss_fn(model(x), y)
    loss.backward()
    with torch.no_grad():
        for p in model.parameters():
            p -= 0.1 * p.grad
    return loss.item()


# train_loop ---------------------------------------------------------------------------------------


def loop_usual(model, optimizer, loss_fn, batches):
    losses = []
    for x, y in batches:
        loss = loss_fn(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def loop_of_steps(model, optimizer, loss_fn, batches):
    return [step_usual(model, optimizer, loss_fn, x, y) for x, y in batches]


def loop_zeroed_after_backward(model, optimizer, loss_fn, batches):
    losses = []
    for x, y in batches:
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        losses.append(loss.item())
    return losses


def loop_never_zeroed(model, optimizer, loss_fn, batches):
    return [step_kept_gradient(model, optimizer, loss_fn, x, y) for x, y in batches]


def loop_step_outside(model, optimizer, loss_fn, batches):
    losses = []
    for x, y in batches:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        losses.append(loss.item())
    optimizer.step()
    return losses


def loop_stops_early(model, optimizer, loss_fn, batches):
    losses = []
    for x, y in batches:
        loss = loss_fn(model(x), y)
        losses.append(loss.item())
        if len(losses) == len(batches):
            return losses
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def loop_returns_in_the_loop(model, optimizer, loss_fn, batches):
    losses = []
    for x, y in batches:
        losses.append(step_usual(model, optimizer, loss_fn, x, y))
        return losses


def loop_keeps_graphs(model, optimizer, loss_fn, batches):
    return [step_returns_the_graph(model, optimizer, loss_fn, x, y) for x, y in batches]


def loop_new_optimizer(model, optimizer, loss_fn, batches):
    mine = torch.optim.SGD(model.parameters(), lr=0.1)
    return [step_usual(model, mine, loss_fn, x, y) for x, y in batches]


# descend ------------------------------------------------------------------------------------------


def descend_by_formula(start, hessian, lr, steps):
    w = start
    for _ in range(steps):
        w = w - lr * hessian @ w
    return w


def descend_by_autograd(start, hessian, lr, steps):
    w = start.clone().requires_grad_()
    for _ in range(steps):
        (gradient,) = torch.autograd.grad(w @ hessian @ w / 2, w)
        with torch.no_grad():
            w -= lr * gradient
    return w.tolist()


def descend_uphill(start, hessian, lr, steps):
    w = start
    for _ in range(steps):
        w = w + lr * hessian @ w
    return w


def descend_in_place(start, hessian, lr, steps):
    for _ in range(steps):
        start -= lr * hessian @ start
    return start


def descend_once(start, hessian, lr, steps):
    return start - lr * hessian @ start


def descend_straight(start, hessian, lr, steps):
    gradient = hessian @ start
    return start - steps * lr * gradient


def descend_axes_only(start, hessian, lr, steps):
    w = start
    for _ in range(steps):
        w = w - lr * hessian.diagonal() * w
    return w


def descend_height(start, hessian, lr, steps):
    w = descend_by_formula(start, hessian, lr, steps)
    return (w @ hessian @ w / 2).item()


# edge ---------------------------------------------------------------------------------------------


def edge_of_the_steepest(hessian):
    return 2 / torch.linalg.eigvalsh(hessian).max()


def edge_by_halving(hessian):
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        factors = 1 - middle * torch.linalg.eigvalsh(hessian)
        low, high = (middle, high) if factors.abs().max() < 1 else (low, middle)
    return low


def edge_one_over(hessian):
    return 1 / torch.linalg.eigvalsh(hessian).max()


def edge_of_the_flattest(hessian):
    return 2 / torch.linalg.eigvalsh(hessian).min()


def edge_of_the_diagonal(hessian):
    return 2 / hessian.diagonal().max()


def edge_of_the_trace(hessian):
    return 2 / hessian.trace()


def edge_of_the_one_bowl(hessian):
    return 0.25


def edge_nearly(hessian):
    return 1.98 / torch.linalg.eigvalsh(hessian).max()


# best_rate ----------------------------------------------------------------------------------------


def rate_of_both_ends(hessian):
    curvatures = torch.linalg.eigvalsh(hessian)
    return (2 / (curvatures[0] + curvatures[-1])).item()


def rate_by_search(hessian):
    curvatures = torch.linalg.eigvalsh(hessian)
    rates = torch.linspace(0.001, 4, 400_000, dtype=torch.float64)
    slowest = torch.maximum(
        (1 - rates * curvatures.min()).abs(), (1 - rates * curvatures.max()).abs()
    )
    return float(rates[slowest.argmin()])


def rate_at_the_edge(hessian):
    return (2 / torch.linalg.eigvalsh(hessian).max()).item()


def rate_of_the_steepest(hessian):
    return (1 / torch.linalg.eigvalsh(hessian).max()).item()


def rate_of_the_diagonal(hessian):
    diagonal = hessian.diagonal()
    return (2 / (diagonal.min() + diagonal.max())).item()


def rate_of_the_mean(hessian):
    return (1 / torch.linalg.eigvalsh(hessian).mean()).item()


def rate_fixed(hessian):
    return 0.2


def rate_upside_down(hessian):
    curvatures = torch.linalg.eigvalsh(hessian)
    return ((curvatures[0] + curvatures[-1]) / 2).item()


def rate_of_every_direction(hessian):
    return 1 / torch.linalg.eigvalsh(hessian)


# roll ---------------------------------------------------------------------------------------------


def roll_usual(start, hessian, lr, momentum, steps):
    w, velocity = start, torch.zeros_like(start)
    for _ in range(steps):
        velocity = momentum * velocity + hessian @ w
        w = w - lr * velocity
    return w


def roll_by_torch(start, hessian, lr, momentum, steps):
    w = start.clone().requires_grad_()
    optimizer = torch.optim.SGD([w], lr=lr, momentum=momentum)
    for _ in range(steps):
        optimizer.zero_grad()
        (w @ hessian @ w / 2).backward()
        optimizer.step()
    return w.tolist()


def roll_forgets(start, hessian, lr, momentum, steps):
    w = start
    for _ in range(steps):
        velocity = torch.zeros_like(start)
        velocity = momentum * velocity + hessian @ w
        w = w - lr * velocity
    return w


def roll_damped(start, hessian, lr, momentum, steps):
    w, velocity = start, torch.zeros_like(start)
    for _ in range(steps):
        velocity = momentum * velocity + (1 - momentum) * hessian @ w
        w = w - lr * velocity
    return w


def roll_moves_first(start, hessian, lr, momentum, steps):
    w, velocity = start, torch.zeros_like(start)
    for _ in range(steps):
        w = w - lr * velocity
        velocity = momentum * velocity + hessian @ w
    return w


def roll_axes_only(start, hessian, lr, momentum, steps):
    w, velocity = start, torch.zeros_like(start)
    for _ in range(steps):
        velocity = momentum * velocity + hessian.diagonal() * w
        w = w - lr * velocity
    return w


def roll_looks_ahead(start, hessian, lr, momentum, steps):
    w, velocity = start, torch.zeros_like(start)
    for _ in range(steps):
        gradient = hessian @ w
        velocity = momentum * velocity + gradient
        w = w - lr * (gradient + momentum * velocity)
    return w


def roll_moves_the_start(start, hessian, lr, momentum, steps):
    velocity = torch.zeros_like(start)
    for _ in range(steps):
        velocity = momentum * velocity + hessian @ start
        start -= lr * velocity
    return start


# accumulate ---------------------------------------------------------------------------------------


def parts_shared(model, optimizer, loss_fn, parts):
    optimizer.zero_grad()
    total = 0.0
    for x, y in parts:
        loss = loss_fn(model(x), y) / len(parts)
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


def parts_joined(model, optimizer, loss_fn, parts):
    x, y = (torch.cat(side) for side in zip(*parts, strict=True))
    return step_usual(model, optimizer, loss_fn, x, y)


def parts_not_shared(model, optimizer, loss_fn, parts):
    optimizer.zero_grad()
    total = 0.0
    for x, y in parts:
        loss = loss_fn(model(x), y)
        loss.backward()
        total += loss.item() / len(parts)
    optimizer.step()
    return total


def parts_step_each(model, optimizer, loss_fn, parts):
    return sum(step_usual(model, optimizer, loss_fn, x, y) for x, y in parts) / len(parts)


def parts_zeroed_each(model, optimizer, loss_fn, parts):
    total = 0.0
    for x, y in parts:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y) / len(parts)
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


def parts_never_zeroed(model, optimizer, loss_fn, parts):
    total = 0.0
    for x, y in parts:
        loss = loss_fn(model(x), y) / len(parts)
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


def parts_sum_returned(model, optimizer, loss_fn, parts):
    return parts_shared(model, optimizer, loss_fn, parts) * len(parts)


def parts_last_only(model, optimizer, loss_fn, parts):
    optimizer.zero_grad()
    for x, y in parts:
        loss = loss_fn(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def parts_no_step(model, optimizer, loss_fn, parts):
    optimizer.zero_grad()
    total = 0.0
    for x, y in parts:
        loss = loss_fn(model(x), y) / len(parts)
        loss.backward()
        total += loss.item()
    return total


# graph_size ---------------------------------------------------------------------------------------


def nodes_on_a_stack(tensor):
    seen, waiting = set(), [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [after for after, _ in node.next_functions]
    return len(seen)


def nodes_by_recursion(tensor):
    seen = set()

    def visit(node):
        if node is None or node in seen:
            return
        seen.add(node)
        for after, _ in node.next_functions:
            visit(after)

    visit(tensor.grad_fn)
    return len(seen)


def nodes_counted_twice(tensor):
    count, waiting = 0, [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None:
            count += 1
            waiting += [after for after, _ in node.next_functions]
    return count


def nodes_first_way_only(tensor):
    count, node = 0, tensor.grad_fn
    while node is not None:
        count += 1
        node = node.next_functions[0][0] if node.next_functions else None
    return count


def nodes_with_nothing(tensor):
    seen, waiting = set(), [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += [after for after, _ in getattr(node, "next_functions", ())]
    return len(seen)


def nodes_without_leaves(tensor):
    seen, waiting = set(), [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [after for after, _ in node.next_functions]
    return len([node for node in seen if type(node).__name__ != "AccumulateGrad"])


def nodes_next_to_it(tensor):
    return 0 if tensor.grad_fn is None else 1 + len(tensor.grad_fn.next_functions)


def nodes_of_none(tensor):
    seen, waiting = set(), [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        seen.add(node)
        waiting += [after for after, _ in node.next_functions if after is not None]
    return len(seen)


# mean_loss ----------------------------------------------------------------------------------------


def mean_by_item(model, loss_fn, batches):
    total = 0.0
    for x, y in batches:
        total += loss_fn(model(x), y).item()
    return total / len(batches)


def mean_without_graph(model, loss_fn, batches):
    with torch.no_grad():
        losses = [loss_fn(model(x), y) for x, y in batches]
    return float(torch.stack(losses).mean())


def mean_by_detach(model, loss_fn, batches):
    total = torch.zeros((), dtype=torch.float64)
    for x, y in batches:
        total += loss_fn(model(x), y).detach()
    return (total / len(batches)).item()


def mean_chained(model, loss_fn, batches):
    total = 0.0
    for x, y in batches:
        total += loss_fn(model(x), y)
    return total / len(batches)


def mean_chained_to_the_end(model, loss_fn, batches):
    return mean_chained(model, loss_fn, batches).item()


def mean_listed(model, loss_fn, batches):
    losses = [loss_fn(model(x), y) for x, y in batches]
    return sum(losses).item() / len(losses)


def mean_summed(model, loss_fn, batches):
    return sum(loss_fn(model(x), y).item() for x, y in batches)


def mean_of_the_last(model, loss_fn, batches):
    for x, y in batches:
        loss = loss_fn(model(x), y).item()
    return loss


def mean_detached_too_late(model, loss_fn, batches):
    total = 0.0
    for x, y in batches:
        total = total + loss_fn(model(x), y)
    return total.detach().item() / len(batches)


def mean_as_a_tensor(model, loss_fn, batches):
    with torch.no_grad():
        return sum(loss_fn(model(x), y) for x, y in batches) / len(batches)


def mean_while_training(model, loss_fn, batches):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return sum(step_usual(model, optimizer, nn.MSELoss(), x, y) for x, y in batches) / len(batches)


# adam_step ----------------------------------------------------------------------------------------


def adam_usual(gradient, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * gradient
    v = beta2 * v + (1 - beta2) * gradient**2
    return -lr * m / (1 - beta1**t) / ((v / (1 - beta2**t)) ** 0.5 + eps), m, v


def adam_corrected_rate(gradient, m, v, t, lr, beta1, beta2, eps):
    m += (1 - beta1) * (gradient - m)
    v += (1 - beta2) * (gradient * gradient - v)
    root = (1 - beta2**t) ** 0.5
    return -lr * root / (1 - beta1**t) * m / (v**0.5 + eps * root), m, v


def adam_uncorrected(gradient, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * gradient
    v = beta2 * v + (1 - beta2) * gradient**2
    return -lr * m / (v**0.5 + eps), m, v


def adam_eps_inside(gradient, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * gradient
    v = beta2 * v + (1 - beta2) * gradient**2
    return -lr * m / (1 - beta1**t) / (v / (1 - beta2**t) + eps) ** 0.5, m, v


def adam_uphill(gradient, m, v, t, lr, beta1, beta2, eps):
    step, m, v = adam_usual(gradient, m, v, t, lr, beta1, beta2, eps)
    return -step, m, v


def adam_no_root(gradient, m, v, t, lr, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * gradient
    v = beta2 * v + (1 - beta2) * gradient**2
    return -lr * m / (1 - beta1**t) / (v / (1 - beta2**t) + eps), m, v


def adam_forgets(gradient, m, v, t, lr, beta1, beta2, eps):
    return *adam_usual(gradient, m, v, t, lr, beta1, beta2, eps)[:1], m, v


def adam_keeps_corrected(gradient, m, v, t, lr, beta1, beta2, eps):
    m = (beta1 * m + (1 - beta1) * gradient) / (1 - beta1**t)
    v = (beta2 * v + (1 - beta2) * gradient**2) / (1 - beta2**t)
    return -lr * m / (v**0.5 + eps), m, v


def adam_only_the_step(gradient, m, v, t, lr, beta1, beta2, eps):
    return adam_usual(gradient, m, v, t, lr, beta1, beta2, eps)[0]


# adamw_step ---------------------------------------------------------------------------------------


def adamw_usual(w, gradient, m, v, t, lr, decay, beta1, beta2, eps):
    step, m, v = adam_usual(gradient, m, v, t, lr, beta1, beta2, eps)
    return w - lr * decay * w + step, m, v


def adamw_shrinks_first(w, gradient, m, v, t, lr, decay, beta1, beta2, eps):
    step, m, v = adam_corrected_rate(gradient, m, v, t, lr, beta1, beta2, eps)
    w *= 1 - lr * decay
    return w + step, m, v


def adamw_decay_in_the_gradient(w, gradient, m, v, t, lr, decay, beta1, beta2, eps):
    step, m, v = adam_usual(gradient + decay * w, m, v, t, lr, beta1, beta2, eps)
    return w + step, m, v


def adamw_without_decay(w, gradient, m, v, t, lr, decay, beta1, beta2, eps):
    step, m, v = adam_usual(gradient, m, v, t, lr, beta1, beta2, eps)
    return w + step, m, v


def adamw_without_the_rate(w, gradient, m, v, t, lr, decay, beta1, beta2, eps):
    step, m, v = adam_usual(gradient, m, v, t, lr, beta1, beta2, eps)
    return w - decay * w + step, m, v


def adamw_shrinks_last(w, gradient, m, v, t, lr, decay, beta1, beta2, eps):
    step, m, v = adam_usual(gradient, m, v, t, lr, beta1, beta2, eps)
    return (w + step) * (1 - lr * decay), m, v


def adamw_grows(w, gradient, m, v, t, lr, decay, beta1, beta2, eps):
    step, m, v = adam_usual(gradient, m, v, t, lr, beta1, beta2, eps)
    return w * (1 + lr * decay) + step, m, v


def adamw_decay_in_m(w, gradient, m, v, t, lr, decay, beta1, beta2, eps):
    m = beta1 * m + (1 - beta1) * (gradient + decay * w)
    v = beta2 * v + (1 - beta2) * gradient**2
    return w - lr * m / (1 - beta1**t) / ((v / (1 - beta2**t)) ** 0.5 + eps), m, v


def adamw_only_the_weight(w, gradient, m, v, t, lr, decay, beta1, beta2, eps):
    return adamw_usual(w, gradient, m, v, t, lr, decay, beta1, beta2, eps)[0]


# groups -------------------------------------------------------------------------------------------


def groups_by_dimension(model, decay):
    decayed, free = [], []
    for p in model.parameters():
        (decayed if p.dim() > 1 else free).append(p)
    return [{"params": decayed, "weight_decay": decay}, {"params": free, "weight_decay": 0.0}]


def groups_of_one(model, decay):
    return [{"params": [p], "weight_decay": decay * (p.ndim >= 2)} for p in model.parameters()]


def groups_by_name(model, decay):
    named = dict(model.named_parameters())
    free = [p for name, p in named.items() if name.endswith("bias")]
    decayed = [p for name, p in named.items() if not name.endswith("bias")]
    return [{"params": decayed, "weight_decay": decay}, {"params": free, "weight_decay": 0.0}]


def groups_all_decay(model, decay):
    return [{"params": list(model.parameters()), "weight_decay": decay}]


def groups_swapped(model, decay):
    decayed, free = groups_by_dimension(model, decay)
    return [{**decayed, "weight_decay": 0.0}, {**free, "weight_decay": decay}]


def groups_decay_of_their_own(model, decay):
    decayed, free = groups_by_dimension(model, decay)
    return [{**decayed, "weight_decay": 0.01}, free]


def groups_left_to_the_default(model, decay):
    decayed, free = groups_by_dimension(model, decay)
    return [decayed, {"params": free["params"]}]


def groups_without_the_rest(model, decay):
    return groups_by_dimension(model, decay)[:1]


def groups_twice(model, decay):
    _, free = groups_by_dimension(model, decay)
    return [{"params": list(model.parameters()), "weight_decay": decay}, free]


def groups_nothing(model, decay):
    return []


OTHERWISE = "they moved another way"
MOVES = "no weight moved"
# The exercise's right solutions, and each wrong one with a part of what is said about it.
PLANTED = {
    "train_step": (
        [step_usual, step_cleared_after, step_by_autograd],
        {
            step_kept_gradient: f"Seen: in the second call, on another batch, {OTHERWISE}",
            step_before_backward: MOVES,
            step_late: MOVES,
            step_twice: f"Seen: in the first call {OTHERWISE}",
            step_returns_the_graph: "it returned a tensor (one number, with its graph)",
            step_returns_nothing: "it returned nothing",
            step_loss_after: "before the weights move",
            step_own_rate: "SGD(lr=0.05, momentum=0.9)",
        },
    ),
    "train_loop": (
        [loop_usual, loop_of_steps],
        {
            loop_zeroed_after_backward: "no weight had moved",
            loop_never_zeroed: "the first 2 losses are right, the third is not: ",
            loop_step_outside: "the first loss is right, the second is not: ",
            loop_stops_early: "all losses are right, the weights in the end are not",
            loop_returns_in_the_loop: "it returned a list of 1",
            loop_keeps_graphs: "the first loss is returned as a Python number",
            loop_new_optimizer: "momentum=0.9",
        },
    ),
    "descend": (
        [descend_by_formula, descend_by_autograd],
        {
            descend_uphill: "downhill",
            descend_in_place: "the start that was handed in stays as it was",
            descend_once: "steps=2",
            descend_straight: "steps=2",
            descend_axes_only: "so many times",
            descend_height: "2 numbers are returned",
        },
    ),
    "edge": (
        [edge_of_the_steepest, edge_by_halving],
        {
            edge_one_over: "above the edge",
            edge_of_the_flattest: "below the edge",
            edge_of_the_diagonal: "below the edge",
            edge_of_the_trace: "above the edge",
            edge_of_the_one_bowl: "hessian",
            edge_nearly: "above the edge",
            rate_of_both_ends: "above the edge",
        },
    ),
    "best_rate": (
        [rate_of_both_ends, rate_by_search],
        {
            rate_at_the_edge: "every direction shrinks",
            rate_of_the_steepest: "a larger rate does better",
            rate_of_the_diagonal: "shrinks the slowest direction faster",
            rate_of_the_mean: "faster",
            rate_fixed: "hessian",
            rate_upside_down: "every direction shrinks",
            rate_of_every_direction: "it raised RuntimeError",
        },
    ),
    "roll": (
        [roll_usual, roll_by_torch],
        {
            roll_forgets: "steps=2",
            roll_damped: "steps=1",
            roll_moves_first: "steps=1",
            roll_axes_only: "the velocity downhill",
            roll_looks_ahead: "steps=1",
            roll_moves_the_start: "stays as it was",
        },
    ),
    "accumulate": (
        [parts_shared, parts_joined],
        {
            parts_not_shared: "in the first call they moved 2 times as far",
            parts_step_each: "in 2 equal parts",
            parts_zeroed_each: "in 2 equal parts",
            parts_never_zeroed: "in the second call they moved another way",
            parts_sum_returned: "the mean over the whole batch",
            parts_last_only: "the mean over the whole batch",
            parts_no_step: "in the first call they did not move",
        },
    ),
    "graph_size": (
        [nodes_on_a_stack, nodes_by_recursion],
        {
            nodes_counted_twice: "counted once",
            nodes_first_way_only: "counted once",
            nodes_with_nothing: "a tensor without one counts 0",
            nodes_without_leaves: "it returned 1",
            nodes_next_to_it: "counted once",
            nodes_of_none: "it raised AttributeError",
        },
    ),
    "mean_loss": (
        [mean_by_item, mean_without_graph, mean_by_detach],
        {
            mean_chained: "no graph is held any more",
            mean_chained_to_the_end: "does not grow from batch to batch",
            mean_listed: "does not grow from batch to batch",
            mean_summed: "the mean of the losses",
            mean_of_the_last: "the mean of the losses",
            mean_detached_too_late: "does not grow",
            mean_as_a_tensor: "it returned a tensor (one number)",
            mean_while_training: "is returned",
        },
    ),
    "adam_step": (
        [adam_usual, adam_corrected_rate],
        {
            adam_uncorrected: "step 1 is",
            adam_eps_inside: "torch.optim.Adam",
            adam_uphill: "step 1 is",
            adam_no_root: "torch.optim.Adam",
            adam_forgets: "torch.optim.Adam",
            adam_keeps_corrected: "step 2 is",
            adam_only_the_step: "it raised TypeError",
        },
    ),
    "adamw_step": (
        [adamw_usual, adamw_shrinks_first],
        {
            adamw_decay_in_the_gradient: "torch.optim.AdamW",
            adamw_without_decay: "torch.optim.AdamW",
            adamw_without_the_rate: "torch.optim.AdamW",
            adamw_shrinks_last: "torch.optim.AdamW",
            adamw_grows: "torch.optim.AdamW",
            adamw_decay_in_m: "torch.optim.AdamW",
            adamw_only_the_weight: "it raised TypeError",
        },
    ),
    "groups": (
        [groups_by_dimension, groups_of_one],
        {
            groups_by_name: "1.weight has the decay",
            groups_all_decay: "what has one dimension does not decay",
            groups_swapped: "a matrix of weights decays",
            groups_decay_of_their_own: "a matrix of weights decays",
            groups_left_to_the_default: "0.bias has the decay 0.01",
            groups_without_the_rest: "0.bias is in 0",
            groups_twice: "it raised ValueError",
            groups_nothing: "it raised ValueError",
        },
    ),
}
