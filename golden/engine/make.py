"""Makes the expected values that the engine's tests compare with: layers.json, optimizers.json, nets.json.

    python3 make.py            # needs torch and numpy, see requirements.txt

Inputs, weights and gradients come from `numbers`, an integer hash that the tests compute as well, so that the files hold
results only. Everything is computed in f64. Gradients of layers are also checked here against central differences in f64.
Images are NHWC and weights end in the output channel, as the engine has them.
"""

import json
import math
import pathlib
import platform

import numpy as np
import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).parent
torch.manual_seed(0)
torch.set_num_threads(1)


def numbers(count, seed):
    """f32 values in -1..1: a hash of (index, seed)."""
    with np.errstate(over="ignore"):
        z = np.arange(count, dtype=np.uint32) * np.uint32(2654435761)
        z += np.uint32((seed * 2246822519 + 374761393) % 2**32)
        z ^= z >> np.uint32(15)
        z *= np.uint32(2246822519)
        z ^= z >> np.uint32(13)
        z *= np.uint32(3266489917)
        z ^= z >> np.uint32(16)
    return (z >> np.uint32(8)).astype(np.float64) / 2**23 - 1.0


def tensor(shape, seed, scale=1.0):
    # The scales are powers of two, so that the product is exact in f32 as well.
    return torch.tensor(numbers(math.prod(shape), seed).reshape(shape) * scale)


def digits(values):
    flat = values.detach().reshape(-1).tolist() if torch.is_tensor(values) else values
    return [float(f"{v:.10g}") for v in flat]


def write(name, content):
    content = {
        "made_by": "make.py",
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        **content,
    }
    (HERE / name).write_text(json.dumps(content, separators=(",", ":")) + "\n")


# --- layers ---------------------------------------------------------------------------------------------------------


def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1).contiguous()


def conv(stride, pad):
    def run(x, w, b):
        return nhwc(F.conv2d(nchw(x), w.permute(3, 2, 0, 1), b, stride, pad))

    return run


def max_pool(kernel, stride, pad, ceil):
    return lambda x: nhwc(F.max_pool2d(nchw(x), kernel, stride, pad, ceil_mode=ceil))


def avg_pool(kernel, stride, pad, ceil, padded):
    return lambda x: nhwc(
        F.avg_pool2d(nchw(x), kernel, stride, pad, ceil_mode=ceil, count_include_pad=padded)
    )


def lrn(size, alpha, beta):
    """Caffe's WITHIN_CHANNEL: the average over the window includes the padding."""

    def run(x):
        mean = F.avg_pool2d(nchw(x) ** 2, size, 1, size // 2, count_include_pad=True)
        return x * nhwc(1 + alpha * mean) ** -beta

    return run


def batch_norm(x, gamma, beta):
    c = x.shape[-1]
    return nhwc(F.batch_norm(nchw(x), torch.zeros(c).double(), torch.ones(c).double(), gamma, beta, True))


def with_relu(run):
    return lambda *inputs: F.relu(run(*inputs))


def check_differences(run, inputs, dy, grads):
    """Central differences in f64, of every 7th number."""
    for which, (given, grad) in enumerate(zip(inputs, grads)):
        flat = given.detach().clone().reshape(-1)
        for i in range(0, flat.numel(), 7):
            sides = []
            for h in (1e-6, -1e-6):
                moved = flat.clone()
                moved[i] += h
                args = list(inputs)
                args[which] = moved.reshape(given.shape)
                sides.append((run(*args) * dy).sum().item())
            found = (sides[0] - sides[1]) / 2e-6
            expected = grad.reshape(-1)[i].item()
            assert abs(found - expected) < 1e-6 * max(1, abs(expected)), (which, i, found, expected)


def layer(kind, run, shapes, scales=None, **facts):
    """The output for inputs of seeds 1, 2, …, and the gradients of them for an output gradient of seed 9."""
    scales = scales or [1.0] * len(shapes)
    inputs = [tensor(s, 1 + k, scales[k]).requires_grad_() for k, s in enumerate(shapes)]
    y = run(*inputs)
    dy = tensor(y.shape, 9)
    grads = torch.autograd.grad((y * dy).sum(), inputs)
    check_differences(run, [i.detach() for i in inputs], dy, grads)
    return {
        "kind": kind,
        **facts,
        "shapes": [list(s) for s in shapes],
        "scales": scales,
        "y": digits(y),
        "grads": [digits(g) for g in grads],
    }


def conv_case(image, out, kernel, stride, pad, relu=False, n=2):
    run = conv(stride, pad)
    shapes = [(n, *image), (*kernel, image[2], out), (out,)]
    return layer(
        "conv", with_relu(run) if relu else run, shapes, kernel=kernel, stride=stride, pad=pad, relu=relu
    )


def pool_case(kind, image, kernel, stride, pad, ceil, padded=True, n=2):
    run = max_pool(kernel, stride, pad, ceil) if kind == "max_pool" else avg_pool(kernel, stride, pad, ceil, padded)
    facts = dict(kernel=kernel, stride=stride, pad=pad, ceil=ceil, padded=padded)
    return layer(kind, run, [(n, *image)], **facts)


def norm_case(image, residual, relu, n=3):
    def run(x, gamma, beta, *rest):
        y = batch_norm(x, gamma, beta)
        y = y + rest[0] if rest else y
        return F.relu(y) if relu else y

    c = image[2]
    shapes = [(n, *image), (c,), (c,)] + ([(n, *image)] if residual else [])
    case = layer("batch_norm", run, shapes, relu=relu, residual=residual)
    module = torch.nn.BatchNorm2d(c).double()
    module(nchw(tensor(shapes[0], 1)))
    return {**case, "mean": digits(module.running_mean), "var": digits(module.running_var)}


def loss_case(n, classes, smoothing):
    labels = torch.arange(n) * 7 % classes

    def run(x):
        return F.cross_entropy(x, labels, reduction="none", label_smoothing=smoothing)

    case = layer("cross_entropy", run, [(n, classes)], [8.0], smoothing=smoothing)
    x = tensor((n, classes), 1, 8.0).requires_grad_()
    (grad,) = torch.autograd.grad(F.cross_entropy(x, labels, label_smoothing=smoothing), [x])
    correct = (x.argmax(1) == labels).tolist()
    return {**case, "grads": [digits(grad)], "labels": labels.tolist(), "correct": correct}


def dropout_case(p):
    shape = (2, 3, 5, 4)
    kept = tensor(shape, 5) > 0
    return layer("dropout", lambda x: x * kept / (1 - p), [shape], p=p)


def dense_case(inputs, outputs, relu, n=5):
    def run(x, w, b):
        y = x @ w + b
        return F.relu(y) if relu else y

    return layer("dense", run, [(n, inputs), (inputs, outputs), (outputs,)], relu=relu)


def layers():
    return [
        conv_case((9, 8, 3), 8, (5, 5), (1, 1), (2, 2)),
        conv_case((9, 8, 3), 8, (5, 5), (1, 1), (2, 2), relu=True),
        conv_case((8, 7, 4), 6, (3, 3), (2, 2), (1, 1)),
        conv_case((7, 7, 5), 9, (3, 3), (1, 1), (1, 1), relu=True),
        conv_case((6, 6, 3), 4, (1, 1), (2, 2), (0, 0)),
        conv_case((7, 9, 2), 5, (3, 5), (2, 1), (0, 3)),
        conv_case((12, 12, 1), 20, (5, 5), (1, 1), (0, 0), n=1),
        pool_case("max_pool", (8, 8, 3), (3, 3), (2, 2), (0, 0), True),
        pool_case("max_pool", (7, 6, 3), (2, 2), (2, 2), (0, 0), False),
        pool_case("max_pool", (7, 8, 2), (3, 2), (2, 3), (1, 0), True),
        pool_case("avg_pool", (8, 8, 3), (3, 3), (2, 2), (0, 0), True),
        pool_case("avg_pool", (7, 6, 3), (2, 3), (2, 2), (1, 1), False),
        pool_case("avg_pool", (7, 6, 3), (3, 3), (2, 2), (1, 1), True),
        pool_case("avg_pool", (7, 6, 3), (3, 3), (2, 2), (1, 1), True, padded=False),
        pool_case("avg_pool", (5, 4, 6), (5, 4), (1, 1), (0, 0), False),
        layer("relu", F.relu, [(2, 3, 4, 5)]),
        layer("lrn", lrn(3, 5e-5, 0.75), [(2, 6, 5, 4)], [64.0], size=3, alpha=5e-5, beta=0.75),
        layer("lrn", lrn(5, 0.125, 0.5), [(2, 6, 7, 3)], [4.0], size=5, alpha=0.125, beta=0.5),
        norm_case((4, 5, 6), False, False),
        norm_case((4, 5, 6), False, True),
        norm_case((3, 4, 8), True, True),
        loss_case(11, 10, 0.0),
        loss_case(11, 10, 0.125),
        loss_case(5, 3, 1.0),
        dropout_case(0.25),
        dense_case(13, 7, False),
        dense_case(32, 20, True),
    ]


# --- optimizers -----------------------------------------------------------------------------------------------------

PARAMS, STEPS, SHOWN = 40, 30, (1, 2, 10, 30)


def rate(step):
    return 0.01 * (1 + step % 7)


def momentum(step):
    return 0.8 + 0.01 * (step % 5)


def torch_steps(make, moving=None):
    w = tensor((PARAMS,), 1).requires_grad_()
    optimizer = make([w])
    group = optimizer.param_groups[0]
    shown = []
    for step in range(STEPS):
        group["lr"] = rate(step)
        if moving == "momentum":
            group["momentum"] = momentum(step)
        if moving == "betas":
            group["betas"] = (momentum(step), group["betas"][1])
        w.grad = tensor((PARAMS,), 100 + step)
        optimizer.step()
        if step + 1 in SHOWN:
            shown.append(digits(w))
    return shown


def caffe_steps(nesterov, decay):
    """Caffe's SGDSolver and NesterovSolver, written down from their ComputeUpdateValue."""
    w = numbers(PARAMS, 1)
    v = np.zeros(PARAMS)
    shown = []
    for step in range(STEPS):
        mu, diff = momentum(step), numbers(PARAMS, 100 + step) + decay * w
        before, v = v, rate(step) * diff + mu * v
        w = w - ((1 + mu) * v - mu * before if nesterov else v)
        if step + 1 in SHOWN:
            shown.append(digits(w.tolist()))
    return shown


def optimizers():
    o, wd = torch.optim, 0.03
    cases = {
        "sgd": torch_steps(lambda p: o.SGD(p, 0.1, 0.9, weight_decay=wd), "momentum"),
        "nesterov": torch_steps(lambda p: o.SGD(p, 0.1, 0.9, weight_decay=wd, nesterov=True), "momentum"),
        "caffe_sgd": caffe_steps(False, wd),
        "caffe_nesterov": caffe_steps(True, wd),
        "adam": torch_steps(lambda p: o.Adam(p, 0.1, (0.9, 0.99), 1e-8, wd), "betas"),
        "adamw": torch_steps(lambda p: o.AdamW(p, 0.1, (0.9, 0.99), 1e-8, wd), "betas"),
        "rmsprop": torch_steps(lambda p: o.RMSprop(p, 0.1, 0.95, 1e-8, wd, 0.9), "momentum"),
        "rmsprop_plain": torch_steps(lambda p: o.RMSprop(p, 0.1, 0.95, 1e-8, wd)),
        "adagrad": torch_steps(lambda p: o.Adagrad(p, 0.1, weight_decay=wd, eps=1e-10)),
        "adadelta": torch_steps(lambda p: o.Adadelta(p, 0.1, 0.9, 1e-6, wd)),
    }
    return {"weight_decay": wd, "shown": SHOWN, "cases": cases}


# --- whole nets -----------------------------------------------------------------------------------------------------

IMAGES, BATCH, UPDATES = 60, 20, 20


def shift_down(x, channels):
    """Option A: every other pixel, and channels of zeros behind."""
    return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, channels - x.shape[1]))


class Named:
    """A net as functions over a dict of parameters, named as the engine names them."""

    def __init__(self, dtype):
        self.values, self.dtype = {}, dtype

    def conv(self, name, x, out, size, bias=True, **kwargs):
        shape = (out, x.shape[1], size, size)
        return F.conv2d(x, self.weight(name, shape), self.bias(name, out) if bias else None, **kwargs)

    def dense(self, name, x, out):
        x = x.flatten(1)
        return F.linear(x, self.weight(name, (out, x.shape[1])), self.bias(name, out))

    def norm(self, name, x):
        c = x.shape[1]
        gamma, beta = self.weight(name, (c,)), self.bias(name, c)
        return F.batch_norm(x, None, None, gamma, beta, True)

    def weight(self, name, shape):
        return self.parameter(f"{name}.weight", shape, math.prod(shape[1:]))

    def bias(self, name, out):
        return self.parameter(f"{name}.bias", (out,), 0)

    def parameter(self, name, shape, fan_in):
        if name not in self.values:
            self.values[name] = start(name, shape, fan_in, len(self.values), self.raw).to(self.dtype).requires_grad_()
        return self.values[name]


def start(name, shape, fan_in, index, raw):
    """Initial values: about He's for weights, near 1 for γ, small for the rest; exact in f32."""
    if name.endswith("bias"):
        scale, shift = 2.0**-5, 0.0
    elif len(shape) == 1:
        scale, shift = 2.0**-4, 1.0
    else:
        scale = 2.0 ** round(math.log2(math.sqrt(6 / fan_in)))
        scale, shift = scale / (64 if raw and index == 0 else 1), 0.0
    values = (numbers(math.prod(shape), 1000 + index) * scale + shift).astype(np.float32)
    return torch.tensor(values.reshape(shape))


class Mlp(Named):
    image, raw, lr = (28, 28, 1), False, 0.02

    def forward(self, x):
        x = x.permute(0, 2, 3, 1)
        x = F.relu(self.dense("fc1", x, 256))
        return self.dense("fc3", F.relu(self.dense("fc2", x, 256)), 10)


class Lenet(Named):
    image, raw, lr = (28, 28, 1), False, 0.0005

    def forward(self, x):
        x = F.max_pool2d(self.conv("conv1", x, 20, 5), 2, 2)
        x = F.max_pool2d(self.conv("conv2", x, 50, 5), 2, 2)
        return self.dense("ip2", F.relu(self.dense("ip1", x, 500)), 10)


def halve(pool, x):
    return pool(x, 3, 2, ceil_mode=True)


class Quick(Named):
    image, raw, lr = (32, 32, 3), True, 0.0001

    def forward(self, x):
        x = F.relu(halve(F.max_pool2d, self.conv("conv1", x, 32, 5, padding=2)))
        x = halve(F.avg_pool2d, F.relu(self.conv("conv2", x, 32, 5, padding=2)))
        x = halve(F.avg_pool2d, F.relu(self.conv("conv3", x, 64, 5, padding=2)))
        return self.dense("ip2", self.dense("ip1", x, 64), 10)


class Full(Named):
    image, raw, lr = (32, 32, 3), True, 0.0005

    @staticmethod
    def lrn(x):
        return x * (1 + 5e-5 * F.avg_pool2d(x**2, 3, 1, 1)) ** -0.75

    def forward(self, x):
        x = self.lrn(F.relu(halve(F.max_pool2d, self.conv("conv1", x, 32, 5, padding=2))))
        x = self.lrn(halve(F.avg_pool2d, F.relu(self.conv("conv2", x, 32, 5, padding=2))))
        x = halve(F.avg_pool2d, F.relu(self.conv("conv3", x, 64, 5, padding=2)))
        return self.dense("ip1", x, 10)


class Resnet20(Named):
    image, raw, lr = (32, 32, 3), False, 0.002

    def forward(self, x):
        x = F.relu(self.norm("bn1", self.conv("conv1", x, 16, 3, bias=False, padding=1)))
        for stage, channels in ((1, 16), (2, 32), (3, 64)):
            for block in range(3):
                name = f"layer{stage}.{block}"
                stride = 2 if stage > 1 and block == 0 else 1
                past = shift_down(x, channels) if stride == 2 else x
                x = self.conv(f"{name}.conv1", x, channels, 3, bias=False, padding=1, stride=stride)
                x = F.relu(self.norm(f"{name}.bn1", x))
                x = self.conv(f"{name}.conv2", x, channels, 3, bias=False, padding=1)
                x = F.relu(self.norm(f"{name}.bn2", x) + past)
        return self.dense("fc", x.mean((2, 3)), 10)


def multipliers(net, name):
    """(lr_mult, decay_mult), from Caffe's prototxt files."""
    if isinstance(net, Full) and name == "ip1.weight":
        return 1, 250
    if isinstance(net, Full) and name == "ip1.bias":
        return 2, 0
    if isinstance(net, Full) and name == "conv3.bias":
        return 1, 1
    caffe = isinstance(net, (Lenet, Quick, Full))
    return (2 if caffe and name.endswith("bias") else 1), 1


def pictures(net):
    """Images 0 to 255 and labels, and the images as the engine's normalisation makes them in f32."""
    count = IMAGES * math.prod(net.image)
    pixels = ((numbers(count, 50) + 1) * 128).astype(np.uint8).reshape(IMAGES, *net.image)
    labels = ((numbers(IMAGES, 51) + 1) * 5).astype(np.int64)
    if net.raw:
        mean = (pixels.reshape(IMAGES, -1).sum(0, dtype=np.float64) / IMAGES).astype(np.float32)
        x = pixels.astype(np.float32) - mean.reshape(net.image)
    else:
        x = pixels.astype(np.float32) * np.float32(1 / 255)
    return torch.tensor(x).permute(0, 3, 1, 2).contiguous(), torch.tensor(labels)


def losses(kind, dtype):
    net = kind(dtype)
    images, labels = pictures(net)
    images = images.to(dtype)
    caffe, velocity, found = net.raw, {}, []
    for update in range(UPDATES):
        at = torch.arange(update * BATCH, (update + 1) * BATCH) % IMAGES
        loss = F.cross_entropy(net.forward(images[at]), labels[at])
        found.append(loss.item())
        grads = torch.autograd.grad(loss, list(net.values.values()))
        lr = net.lr * (0.5 + 0.25 * (update % 5))
        with torch.no_grad():
            for (name, w), g in zip(net.values.items(), grads):
                lr_mult, decay_mult = multipliers(net, name)
                g = g + (5e-4 * decay_mult) * w
                v = velocity.get(name, torch.zeros_like(w))
                v = 0.9 * v + (lr * lr_mult * g if caffe else g)
                w -= v if caffe else (lr * lr_mult) * v
                velocity[name] = v
    return found


def nets():
    cases = {}
    kinds = {"mlp": Mlp, "lenet": Lenet, "cifar10_quick": Quick, "cifar10_full": Full, "resnet20": Resnet20}
    for name, kind in kinds.items():
        exact, single = losses(kind, torch.float64), losses(kind, torch.float32)
        cases[name] = {
            "lr": kind.lr,
            "loss": [float(f"{v:.12g}") for v in exact],
            "f32_deviation": [float(f"{abs(a - b):.4g}") for a, b in zip(exact, single)],
        }
        print(name, exact[0], exact[-1], max(cases[name]["f32_deviation"]))
    return cases


if __name__ == "__main__":
    write("layers.json", {"cases": layers()})
    write("optimizers.json", optimizers())
    write("nets.json", {"images": IMAGES, "batch": BATCH, "cases": nets()})
