#!/usr/bin/env python3
"""PyTorch on the work that the engines are timed on; speaks bench/protocol.ts: a request a line on standard input, replies behind a mark.

   python3 torch_step.py --case gpt:4x250 [--mode eager|sdpa|compile] [--device cpu|cuda] [--threads 2]
   python3 torch_step.py --probe

The model is the original's. Mode eager stores attention's scores, as the original does; sdpa is PyTorch's own fused attention; compile is
torch.compile over the loss and its gradient, with that attention."""
import argparse, json, math, re, sys, time

MARK = "@bench "


def reply(**message):
    print(MARK + json.dumps(message), flush=True)


def blas():
    """The linear algebra library that is really in use, by what is mapped into the process."""
    if torch.backends.mkl.is_available():
        return "MKL"
    try:
        maps = open("/proc/self/maps").read()
    except OSError:
        return "unknown"
    for pattern, name in ((r"libopenblas\w*-r([\d.]+)\.so", "OpenBLAS"), (r"libblas\.so\.([\d.]+)", "reference BLAS"), (r"libblis\.so\.([\d.]+)", "BLIS")):
        if found := re.search(pattern, maps):
            return name + " " + found[1].rstrip(".")
    return "unknown"


try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    reply(failed=str(error))
    sys.exit(1)

parser = argparse.ArgumentParser()
parser.add_argument("--case")
parser.add_argument("--mode", default="eager", choices=("eager", "sdpa", "compile"))
parser.add_argument("--device", default="cpu")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--probe", action="store_true")
args = parser.parse_args()
torch.set_num_threads(args.threads)
torch.backends.cuda.matmul.allow_tf32 = False
device = args.device

# Both came with PyTorch 2.
modes = ["eager"] + ["sdpa"] * hasattr(F, "scaled_dot_product_attention") + ["compile"] * hasattr(torch, "compile")

if args.probe:
    torch.mm(torch.ones(64, 64), torch.ones(64, 64))
    reply(probe=dict(torch=torch.__version__, blas=blas(), cuda=torch.cuda.is_available(), modes=modes))
    sys.exit(0)

# The numbers of bench/work/values.ts, gpt.ts and sae.ts.


def mix(x):
    """lowbias32; products of 32-bit numbers wrap in 64 bits, which leaves their low halves right."""
    mask = 0xFFFFFFFF
    x = x ^ (x >> 16)
    x = (x * 0x7FEB352D) & mask
    x = x ^ (x >> 15)
    x = (x * 0x846CA68B) & mask
    return x ^ (x >> 16)


def draw(stream, count):
    return mix((mix(stream + 1) + torch.arange(count, dtype=torch.int64)) & 0xFFFFFFFF)


def uniform(shape, stream, spread, center=0.0):
    count = math.prod(shape)
    values = torch.full((count,), center) if spread == 0 else center + spread * (draw(stream, count).double() / 2**31 - 1)
    return values.float().reshape(shape).to(device)


def whole(shape, stream, limit):
    return (draw(stream, math.prod(shape)) % limit).reshape(shape).to(device)


C, HEADS, LAYERS, V, CHARACTERS, S = 64, 4, 4, 455, 72, 50


def gpt_parameters(T):
    named = []

    def norm(name):
        named.extend([(name + ".weight", (C,), 0, 1.0), (name + ".bias", (C,), 0, 0.0)])

    def linear(name, out, inner):
        named.extend([(name + ".weight", (out, inner), inner**-0.5, 0.0), (name + ".bias", (out,), 0, 0.0)])

    for table, rows in (("wte", V), ("wpe", T), ("wce", CHARACTERS), ("wcpe", S)):
        named.append((f"transformer.{table}.weight", (rows, C), 1, 0.0))
    for i in range(LAYERS):
        at = f"transformer.h.{i}"
        norm(at + ".ln_1"), linear(at + ".attn.c_attn", 3 * C, C), linear(at + ".attn.c_proj", C, C)
        norm(at + ".ln_2"), linear(at + ".cross_attn.c_attn_q", C, C), linear(at + ".cross_attn.c_attn_kv", 2 * C, C)
        linear(at + ".cross_attn.c_proj", C, C)
        norm(at + ".ln_3"), linear(at + ".mlp.c_fc", 4 * C, C), linear(at + ".mlp.c_proj", C, 4 * C)
    norm("transformer.ln_f")
    named.append(("lm_head.weight", (V, C), C**-0.5, 0.0))
    return {name: uniform(shape, i, spread, center).requires_grad_() for i, (name, shape, spread, center) in enumerate(named)}


def gpt(B, T):
    p = gpt_parameters(T)
    tokens, targets, text = whole((B, T), 1001, V), whole((B, T), 1002, V), whole((B, S), 1003, CHARACTERS)
    optimizer = torch.optim.AdamW(p.values(), lr=1e-2, betas=(0.9, 0.99), eps=1e-8, weight_decay=1e-4)
    future = ~torch.ones(T, T, dtype=torch.bool, device=device).tril()

    def linear(x, name):
        return F.linear(x, p[name + ".weight"], p[name + ".bias"])

    def norm(x, name):
        return F.layer_norm(x, (C,), p[name + ".weight"], p[name + ".bias"])

    def heads(x):
        return x.view(B, -1, HEADS, C // HEADS).transpose(1, 2)

    def attend(q, k, v, causal):
        q, k, v = heads(q), heads(k), heads(v)
        if args.mode != "eager":
            y = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        else:
            scores = q @ k.transpose(-2, -1) / math.sqrt(C // HEADS)
            y = (scores.masked_fill(future, -math.inf) if causal else scores).softmax(-1) @ v
        return y.transpose(1, 2).reshape(B, -1, C)

    def loss():
        x = F.embedding(tokens, p["transformer.wte.weight"]) + p["transformer.wpe.weight"]
        c = F.embedding(text, p["transformer.wce.weight"]) + p["transformer.wcpe.weight"]
        for i in range(LAYERS):
            at = f"transformer.h.{i}"
            x = x + linear(attend(*linear(norm(x, at + ".ln_1"), at + ".attn.c_attn").split(C, 2), True), at + ".attn.c_proj")
            query = linear(norm(x, at + ".ln_2"), at + ".cross_attn.c_attn_q")
            x = x + linear(attend(query, *linear(c, at + ".cross_attn.c_attn_kv").split(C, 2), False), at + ".cross_attn.c_proj")
            x = x + linear(F.gelu(linear(norm(x, at + ".ln_3"), at + ".mlp.c_fc"), approximate="tanh"), at + ".mlp.c_proj")
        logits = F.linear(norm(x, "transformer.ln_f"), p["lm_head.weight"])
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    return training(loss, optimizer)


def sae(rows, features):
    shapes = (((C, features), C**-0.5), ((features, C), features**-0.5), ((features,), 0), ((C,), 0))
    encoder, decoder, encoder_bias, decoder_bias = p = [uniform(shape, i, spread).requires_grad_() for i, (shape, spread) in enumerate(shapes)]
    x = uniform((rows, C), 1001, 3**0.5)
    optimizer = torch.optim.Adam(p, lr=1e-3, betas=(0.9, 0.999), eps=1e-8)

    def loss():
        hidden = F.relu((x - decoder_bias) @ encoder + encoder_bias)
        error = ((hidden @ decoder + decoder_bias - x) ** 2).sum(-1).mean()
        return error + 3e-4 * hidden.sum(-1).mean()

    return training(loss, optimizer)


def training(loss, optimizer):
    if args.mode == "compile":
        loss = torch.compile(loss)

    def step():
        optimizer.zero_grad(set_to_none=True)
        value = loss()
        value.backward()
        optimizer.step()
        return float(value.detach())

    return step


def matmul(m, k=None, n=None):
    k, n = k or m, n or m
    a, b, out = uniform((m, k), 0, 1), uniform((k, n), 1, 1), torch.empty(m, n, device=device)

    def step():
        torch.mm(a, b, out=out)
        if device == "cuda":
            torch.cuda.synchronize()
        return math.nan

    return step, lambda: float((out.double() ** 2).sum())


def or_none(value):
    return None if math.isnan(value) else value


def main():
    kind, sizes = args.case.split(":")
    if args.mode not in modes:
        raise RuntimeError(f"torch {torch.__version__} cannot run in mode {args.mode}")
    built = dict(gpt=gpt, sae=sae, matmul=matmul)[kind](*map(int, sizes.split("x")))
    step, check = built if kind == "matmul" else (built, lambda: math.nan)
    loss = step()
    adapter = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {args.threads} threads"
    versions = dict(torch=torch.__version__, python=sys.version.split()[0], blas=blas())
    reply(ready=dict(adapter=adapter, versions=versions, loss=or_none(loss), check=or_none(check())))
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "quit":
            break
        if request["do"] == "steps":
            start, cpu_start = time.perf_counter(), time.process_time()
            for _ in range(request["count"]):
                loss = step()
            milliseconds, cpu = (time.perf_counter() - start) * 1e3, (time.process_time() - cpu_start) * 1e3
            reply(steps=dict(milliseconds=milliseconds, cpuMilliseconds=cpu, loss=or_none(loss), counts=None))


try:
    main()
except Exception as error:
    reply(failed=str(error) or type(error).__name__)
    sys.exit(1)
