#!/usr/bin/env python3
"""Writes replay_checkpoint.pt and replay.safetensors: a model that PyTorch trained, saved as the original saves its own, and the notebook's
autoencoder trained on that model's first MLP, for replay_test.ts to go the same way.

    sudo apt-get install -y --no-install-recommends python3-torch   # or: pip install torch
    python3 packages/sae/testing/make_replay.py

The sequences are random: directions that turn by chance and lengths that depend on them, END and padding, and random characters. The model has
the original's vocabularies, so that its checkpoint is one of the original's in every respect but the sizes.

Names in replay.safetensors (its metadata has the configuration, what PyTorch measured, and how far float32 carries that from float64):
    tokens [B, T], targets [B, T], context [B, S]      int32; all of them are activation rows, padding too, and every target counts
    init.W_enc, init.W_dec, init.b_enc, init.b_dec     before the first step
    final.W_enc, …                                     after the last
    losses [STEPS, 3]                                  before each step: loss, l2, l1
    freqs [F]                                          share of the rows on which a latent of the trained one is above 0
Step s takes the rows (7 i + STRIDE s) mod (B T), i = 0 … ROWS - 1, of the flattened activations.
"""

import json
import math
import sys
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[2] / "cursive-model" / "testing"))
from make_golden import Transformer, write_safetensors  # noqa: E402

CONFIG = dict(nLayer=2, nHead=4, nEmbd=8, blockSize=32, contextBlockSize=6, vocabSize=455, contextVocabSize=72)
THETA, RADIUS_UP, PAD, END = 302, 151, 453, 454
MODEL_STEPS, MODEL_BATCH = 600, 16
ADAMW = dict(lr=1e-2, weight_decay=1e-4, betas=(0.9, 0.99), eps=1e-8)
SEQUENCES = 32
# the notebook's, on a batch of ROWS rows
SAE = dict(dictMult=8, l1Coefficient=3e-4, lr=1e-4, betas=(0.9, 0.99))
STEPS, ROWS, STRIDE = 400, 512, 300


def draw_sequences(count):
    """Tokens x, the next ones y and characters as the original's data set has them: END behind the strokes, PAD behind END, in x and in y."""
    length = CONFIG["blockSize"]
    x = torch.full((count, length), PAD)
    y = torch.full((count, length), PAD)
    context = torch.randint(1, CONFIG["contextVocabSize"], (count, CONFIG["contextBlockSize"]))
    for i in range(count):
        points = int(torch.randint(8, 15, ()))
        theta = int(torch.randint(150, ()))
        tokens = []
        for p in range(points):
            theta = (theta + int(torch.randint(-8, 9, ()))) % 150
            radius = 5 + theta // 15 + int(torch.randint(3, ()))
            is_up = p + 1 == points or float(torch.rand(())) < 0.1
            tokens += [THETA + theta, radius + (RADIUS_UP if is_up else 0)]
        n = len(tokens)
        x[i, :n] = torch.tensor(tokens)
        x[i, n] = END
        y[i, : n - 1] = x[i, 1:n]
        y[i, n - 1] = y[i, n] = END  # the original asks for END twice
        context[i, int(torch.randint(2, 6, ())) :] = 0
    return {"tokens": x, "targets": y, "context": context}


def loss_of(model, batch):
    logits = model(batch["tokens"], batch["context"])
    return nn.functional.cross_entropy(logits.flatten(0, 1), batch["targets"].flatten(), ignore_index=-1)


def train_model(checkpoint):
    """Trains as the original does and saves what its save_checkpoint saves, masks included."""
    model = Transformer(CONFIG)
    length = CONFIG["blockSize"]
    for block in model.transformer.h:
        block.attn.register_buffer("bias", torch.tril(torch.ones(length, length)).view(1, 1, length, length))
    optimizer = torch.optim.AdamW(model.parameters(), **ADAMW)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=250, gamma=0.333)
    test = draw_sequences(SEQUENCES)
    for step in range(MODEL_STEPS):
        optimizer.zero_grad(set_to_none=True)
        loss_of(model, draw_sequences(MODEL_BATCH)).backward()
        optimizer.step()
        scheduler.step()
    with torch.no_grad():
        best = float(loss_of(model, test))
    state = {
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
        "scheduler_state_dict": scheduler.state_dict(),
        "step": MODEL_STEPS - 1,
        "best_loss": best,
    }
    torch.save(state, checkpoint)
    return model, test


def initial_weights(width, latents):
    """As the notebook's class: torch's kaiming_uniform_ on matrices stored [in, out], rows of W_dec scaled to norm 1, biases 0."""
    encoder = nn.init.kaiming_uniform_(torch.empty(width, latents))
    decoder = nn.init.kaiming_uniform_(torch.empty(latents, width))
    return {
        "W_enc": encoder,
        "W_dec": decoder / decoder.norm(dim=-1, keepdim=True),
        "b_enc": torch.zeros(latents),
        "b_dec": torch.zeros(width),
    }


def encode(p, x):
    return torch.relu((x - p["b_dec"]) @ p["W_enc"] + p["b_enc"])


def train_autoencoder(start, rows):
    """The notebook's loop: no projection, no renormalising, the L1 a sum over rows and latents."""
    p = {name: nn.Parameter(value.clone()) for name, value in start.items()}
    optimizer = torch.optim.Adam(p.values(), lr=SAE["lr"], betas=SAE["betas"])
    losses = []
    for step in range(STEPS):
        x = rows[(7 * torch.arange(ROWS) + STRIDE * step) % len(rows)]
        acts = encode(p, x)
        l2 = (acts @ p["W_dec"] + p["b_dec"] - x).pow(2).sum(-1).mean(0)
        l1 = SAE["l1Coefficient"] * acts.abs().sum()
        optimizer.zero_grad()
        (l2 + l1).backward()
        optimizer.step()
        losses.append(torch.stack([l2 + l1, l2, l1]).detach())
    return {name: value.detach() for name, value in p.items()}, torch.stack(losses)


def measure(model, batch, p):
    """The notebook's losses: as it is, with reconstructions, and with zeros at the first MLP's output."""
    site = model.transformer.h[0].mlp.c_proj

    def spliced(replace):
        hook = site.register_forward_hook(lambda _m, _i, output: replace(output))
        loss = loss_of(model, batch).item()
        hook.remove()
        return loss

    loss = loss_of(model, batch).item()
    recons = spliced(lambda x: encode(p, x) @ p["W_dec"] + p["b_dec"])
    zero = spliced(lambda x: x * 0)
    return {"loss": loss, "recons_loss": recons, "zero_abl_loss": zero, "score": (zero - recons) / (zero - loss)}


def run(model, batch, start):
    rows = []
    hook = model.transformer.h[0].mlp.c_proj.register_forward_hook(lambda _m, _i, output: rows.append(output.detach().flatten(0, 1)))
    with torch.no_grad():
        loss_of(model, batch)
    hook.remove()
    final, losses = train_autoencoder(start, rows[0])
    with torch.no_grad():
        freqs = (encode(final, rows[0]) > 0).to(rows[0].dtype).mean(0)
        l0 = (encode(final, rows[0]) > 0).sum(-1).to(rows[0].dtype).mean().item()
        measured = measure(model, batch, final)
    return final, losses, freqs, {**measured, "l0": l0, "norm": rows[0].norm(dim=-1).mean().item()}


def main():
    torch.manual_seed(2025)
    torch.set_num_threads(1)
    folder = Path(__file__).parent
    model, batch = train_model(folder / "replay_checkpoint.pt")
    start = initial_weights(CONFIG["nEmbd"], SAE["dictMult"] * CONFIG["nEmbd"])
    final, losses, freqs, measured = run(model, batch, start)
    _, exact_losses, _, exact = run(model.double(), batch, {name: value.double() for name, value in start.items()})
    rounding = {
        "losses": ((losses.double() - exact_losses).abs() / exact_losses).max().item(),
        "measured": max(abs(measured[name] / exact[name] - 1) for name in ("loss", "recons_loss", "zero_abl_loss", "score")),
    }
    assert math.isfinite(rounding["losses"])
    tensors = {name: value.int() for name, value in batch.items()}
    tensors.update({f"init.{name}": value for name, value in start.items()})
    tensors.update({f"final.{name}": value for name, value in final.items()})
    tensors.update({"losses": losses, "freqs": freqs})
    metadata = {
        "config": json.dumps(CONFIG),
        "sae": json.dumps({**SAE, "steps": STEPS, "rows": ROWS, "stride": STRIDE}),
        "measured": json.dumps(measured),
        "rounding": json.dumps(rounding),
        "torch": torch.__version__,
    }
    path = folder / "replay.safetensors"
    write_safetensors(path, tensors, metadata)
    for file in (path, folder / "replay_checkpoint.pt"):
        print(f"{file.name}: {file.stat().st_size} bytes")
    print(json.dumps({"measured": measured, "rounding": rounding, "first": losses[0].tolist(), "last": losses[-1].tolist()}, indent=1))


if __name__ == "__main__":
    main()
