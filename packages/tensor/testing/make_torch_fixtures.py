"""Writes the PyTorch files that torch_pickle_test.ts reads, and what is in them: torch/*.pt, torch/expected.json.

Run with any PyTorch from 1.6 on, and format what it wrote:
python3 packages/tensor/testing/make_torch_fixtures.py; npx biome format --write packages/tensor/testing/torch
"""

import json
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import torch

folder = Path(__file__).parent / "torch"
folder.mkdir(exist_ok=True)
expected = {}


def described(value):
    """Tensors as shape and values, everything else as JSON has it."""
    if isinstance(value, torch.Tensor):
        values = value.detach().to(torch.float64) if value.is_floating_point() else value
        return {"shape": list(value.shape), "values": values.reshape(-1).tolist()}
    if isinstance(value, dict):
        return {str(key): described(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [described(item) for item in value]
    return value


def save(name, value, **options):
    torch.save(value, folder / f"{name}.pt", **options)
    expected[name] = described(value)


fractions = [0.0, -1.5, 0.1, 65504.0]
save(
    "dtypes",
    {
        **{str(d).removeprefix("torch."): torch.tensor(fractions, dtype=d) for d in (torch.float64, torch.float32, torch.float16, torch.bfloat16)},
        **{str(d).removeprefix("torch."): torch.tensor([-3, 0, 100], dtype=d) for d in (torch.int64, torch.int32, torch.int16, torch.int8)},
        "uint8": torch.tensor([0, 255], dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
        "plain": [None, True, False, 0, 255, 65535, -1, 2**40, 0.1, "θ", (1, (2, [3])), torch.Size([4, 5])],
    },
)

base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
save(
    "views",
    OrderedDict(
        base=base,
        permuted=base.permute(2, 0, 1),
        columns=base[:, :, ::2],
        offset=base[1, 1:],
        expanded=base[0, 0, :1].expand(5),
        scalar=base[1, 2, 3],
        empty=base[:, :0],
        parameter=torch.nn.Parameter(base[0]),
    ),
)

torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(3, 2))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3, 0.333)
model(torch.ones(1, 3)).sum().backward()
optimizer.step()
scheduler.step()
save(
    "checkpoint",
    {
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
        "scheduler_state_dict": scheduler.state_dict(),
        "step": 1,
        "best_loss": 1.25,
    },
)

save("protocol4", {"weight": torch.ones(2)}, pickle_protocol=4)
torch.save(torch.nn.Linear(1, 1), folder / "module.pt")
torch.save({"weight": torch.ones(1)}, folder / "legacy.pt", _use_new_zipfile_serialization=False)


class Command:
    def __reduce__(self):
        return os.system, ("echo harm",)


with zipfile.ZipFile(folder / "harmful.pt", "w") as archive:
    archive.writestr("harmful/data.pkl", pickle.dumps({"weight": Command()}, protocol=2))

(folder / "expected.json").write_text(json.dumps(expected, ensure_ascii=False) + "\n")
