#!/usr/bin/env python3
"""Writes golden.safetensors: what PyTorch computes for two small cursive transformers, for transformer_test.ts to agree with.

    sudo apt-get install -y --no-install-recommends python3-torch   # or: pip install torch
    python3 packages/cursive-model/testing/make_golden.py

Everything is computed in float64 from parameters that float32 holds exactly, then rounded once. The same is computed in float32 too, only
to note how far PyTorch's own rounding carries each kind of result (metadata `rounding`): the yardstick for ours. The key biases are left
out of that: their gradient is 0, and what rounding makes of it says nothing.

Names in the file, CASE being `odd` or `even`:
    CASE.tokens [B, T], CASE.context [B, S], CASE.targets [B, T]   int32; -1 among the targets is left out of the loss
    CASE.parameter.NAME                                            by PyTorch's names
    CASE.logits [B, T, V], CASE.loss
    CASE.gradients                                                 of the loss; of all parameters, one after another in their order
    CASE.adamw.losses, CASE.sgd.losses [5]                         before each of five steps
    CASE.loss_without_mlp, CASE.loss_without_text                  h.0.mlp.c_proj zeroed; the embedded text zeroed
    odd.output.MODULE                                              what each module gave
    odd.adamw.parameters                                           after the five steps, one after another
"""

import json
import math
import struct
from pathlib import Path

import torch
from torch import nn

CASES = {
    # Heads of 3 in a width of 6: nothing divides by 4, so no vectorised path applies. Everything is recorded.
    "odd": dict(nLayer=2, nHead=2, nEmbd=6, blockSize=11, contextBlockSize=5, vocabSize=13, contextVocabSize=7),
    # Heads of 4 in a width of 12, and as many tokens as there are positions.
    "even": dict(nLayer=1, nHead=3, nEmbd=12, blockSize=11, contextBlockSize=5, vocabSize=13, contextVocabSize=7),
}
TOKENS = {"odd": 7, "even": 11}
BATCH = 2
STEPS = 5
ADAMW = dict(lr=1e-2, weight_decay=1e-4, betas=(0.9, 0.99), eps=1e-8)
SGD = dict(lr=5e-2, momentum=0.9, weight_decay=1e-4)


class Attention(nn.Module):
    """softmax(q kᵀ / √D) v by the formula, a head at a time side by side."""

    def __init__(self, heads):
        super().__init__()
        self.heads = heads

    def attend(self, q, k, v, causal):
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (q, k, v))  # (B, H, T, D)
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])  # (B, H, T, S)
        if causal:
            scores = scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), -math.inf)
        return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)  # (B, T, C)


class SelfAttention(Attention):
    def __init__(self, width, heads):
        super().__init__(heads)
        self.c_attn = nn.Linear(width, 3 * width)
        self.c_proj = nn.Linear(width, width)

    def forward(self, x):
        return self.c_proj(self.attend(*self.c_attn(x).chunk(3, -1), causal=True))


class CrossAttention(Attention):
    def __init__(self, width, heads):
        super().__init__(heads)
        self.c_attn_q = nn.Linear(width, width)
        self.c_attn_kv = nn.Linear(width, 2 * width)
        self.c_proj = nn.Linear(width, width)

    def forward(self, x, c):
        return self.c_proj(self.attend(self.c_attn_q(x), *self.c_attn_kv(c).chunk(2, -1), causal=False))


class TanhGelu(nn.Module):
    def forward(self, x):
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width)
        self.c_proj = nn.Linear(4 * width, width)
        self.act = TanhGelu()

    def forward(self, x):
        return self.c_proj(self.act(self.c_fc(x)))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = SelfAttention(width, heads)
        self.ln_2 = nn.LayerNorm(width)
        self.cross_attn = CrossAttention(width, heads)
        self.ln_3 = nn.LayerNorm(width)
        self.mlp = Mlp(width)

    def forward(self, x, c):
        x = x + self.attn(self.ln_1(x))
        x = x + self.cross_attn(self.ln_2(x), c)
        return x + self.mlp(self.ln_3(x))


class Body(nn.Module):
    def __init__(self, config):
        super().__init__()
        width = config["nEmbd"]
        self.wte = nn.Embedding(config["vocabSize"], width)
        self.wpe = nn.Embedding(config["blockSize"], width)
        self.wce = nn.Embedding(config["contextVocabSize"], width)
        self.wcpe = nn.Embedding(config["contextBlockSize"], width)
        self.h = nn.ModuleList(Block(width, config["nHead"]) for _ in range(config["nLayer"]))
        self.ln_f = nn.LayerNorm(width)

    def forward(self, tokens, context, without_text):
        c = self.wce(context) + self.wcpe(torch.arange(context.shape[1])[None])
        if without_text:
            c = c * 0
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1])[None])
        for block in self.h:
            x = block(x, c)
        return self.ln_f(x)


class Transformer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.transformer = Body(config)
        self.lm_head = nn.Linear(config["nEmbd"], config["vocabSize"], bias=False)

    def forward(self, tokens, context, without_text=False):
        return self.lm_head(self.transformer(tokens, context, without_text))


def draw_parameters(model):
    """Every parameter random, so that none can be left out unnoticed; large enough that attention is far from uniform."""
    for name, p in model.named_parameters():
        if p.dim() == 2 and "transformer.w" not in name:
            p.data.normal_(0, 1.5 / math.sqrt(p.shape[1]))
        else:
            p.data.normal_(1.0 if ".ln_" in name and name.endswith("weight") else 0.0, 0.5)


def flat(model, of):
    return torch.cat([of(p).detach().flatten() for p in model.parameters()])


def train(config, start, batch, optimizer):
    model = make(config, start)
    steps = optimizer(model.parameters())
    losses = []
    for _ in range(STEPS):
        steps.zero_grad()
        loss = loss_of(model, batch)
        loss.backward()
        steps.step()
        losses.append(loss.detach())
    return torch.stack(losses), model


def make(config, parameters):
    model = Transformer(config).to(next(iter(parameters.values())).dtype)
    model.load_state_dict(parameters)
    return model


def loss_of(model, batch, **options):
    logits = model(batch["tokens"], batch["context"], **options)
    return nn.functional.cross_entropy(logits.flatten(0, 1), batch["targets"].flatten(), ignore_index=-1)


def results(config, parameters, batch):
    """All results of one case, in the precision of its parameters."""
    out = {}
    model = make(config, parameters)
    hooks = [
        module.register_forward_hook(lambda _m, _i, output, name=name: out.__setitem__(f"output.{name}", output.detach()))
        for name, module in model.named_modules()
        if name and not isinstance(module, nn.ModuleList)
    ]
    out["logits"] = model(batch["tokens"], batch["context"]).detach()
    for hook in hooks:
        hook.remove()
    loss = loss_of(model, batch)
    loss.backward()
    out["loss"] = loss.detach()
    out["gradients"] = flat(model, lambda p: p.grad)

    zero = model.transformer.h[0].mlp.c_proj.register_forward_hook(lambda _m, _i, output: output * 0)
    out["loss_without_mlp"] = loss_of(model, batch).detach()
    zero.remove()
    out["loss_without_text"] = loss_of(model, batch, without_text=True).detach()

    out["adamw.losses"], trained = train(config, parameters, batch, lambda p: torch.optim.AdamW(p, **ADAMW))
    out["adamw.parameters"] = flat(trained, lambda p: p)
    out["sgd.losses"], _ = train(config, parameters, batch, lambda p: torch.optim.SGD(p, **SGD))
    return out


def key_bias(model):
    """Where the biases of keys lie in the flat parameters. Softmax does not see them: their gradient is 0 but for rounding, which Adam,
    dividing it by its own size, turns into visible steps."""
    width = model.lm_head.in_features
    parts = []
    for name, p in model.named_parameters():
        part = torch.zeros(p.numel(), dtype=torch.bool)
        if name.endswith(".attn.c_attn.bias"):
            part[width : 2 * width] = True
        if name.endswith(".cross_attn.c_attn_kv.bias"):
            part[:width] = True
        parts.append(part)
    return torch.cat(parts)


def rounding(exact, rounded, model):
    """The greatest error of float32 for each kind of result, in units of the largest element of its tensor."""
    sizes = [p.numel() for p in model.parameters()]
    ignored = key_bias(model)
    worst = {}
    for name, value in exact.items():
        kind = "outputs" if name.startswith("output.") else "losses" if "loss" in name else name
        difference = (rounded[name].double() - value).abs()
        pairs = [(difference, value)]
        if name in ("gradients", "adamw.parameters"):
            difference[ignored] = 0
            pairs = zip(difference.split(sizes), value.masked_fill(ignored, 0).split(sizes))
        for d, v in pairs:
            worst[kind] = max(worst.get(kind, 0.0), (d.max() / v.abs().max()).item())
    return worst


def write_safetensors(path, tensors, metadata):
    """https://github.com/huggingface/safetensors#format: length, header as JSON, data."""
    header, data, at = {"__metadata__": metadata}, [], 0
    for name, tensor in tensors.items():
        data.append(tensor.contiguous().numpy().tobytes())
        kind = {torch.float32: "F32", torch.int32: "I32"}[tensor.dtype]
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [at, at + len(data[-1])]}
        at += len(data[-1])
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data))


def main():
    torch.manual_seed(2024)
    tensors, noted = {}, {}
    for case, config in CASES.items():
        model = Transformer(config)
        draw_parameters(model)
        parameters = {name: value.clone() for name, value in model.state_dict().items()}
        shape = (BATCH, TOKENS[case])
        batch = {
            "tokens": torch.randint(config["vocabSize"], shape),
            "context": torch.randint(config["contextVocabSize"], (BATCH, config["contextBlockSize"])),
            "targets": torch.randint(config["vocabSize"], shape),
        }
        batch["targets"][0, 2] = batch["targets"][1, -1] = -1
        exact = results(config, {name: value.double() for name, value in parameters.items()}, batch)
        noted[case] = rounding(exact, results(config, parameters, batch), model)

        tensors.update({f"{case}.{name}": value.int() for name, value in batch.items()})
        tensors.update({f"{case}.parameter.{name}": value for name, value in parameters.items()})
        kept = {n: v for n, v in exact.items() if case == "odd" or not (n.startswith("output.") or n == "adamw.parameters")}
        tensors.update({f"{case}.{name}": value.float() for name, value in kept.items()})
    path = Path(__file__).with_name("golden.safetensors")
    metadata = {
        "configs": json.dumps(CASES),
        "rounding": json.dumps(noted),
        "torch": torch.__version__,
        "steps": json.dumps(dict(count=STEPS, adamw=ADAMW, sgd=SGD)),
    }
    write_safetensors(path, tensors, metadata)
    print(f"{path}: {path.stat().st_size} bytes, {len(tensors)} tensors, rounding {json.dumps(noted, indent=1)}")


if __name__ == "__main__":
    main()
