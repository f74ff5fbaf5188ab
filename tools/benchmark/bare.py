"""Sections on numbers in memory: the training step, inference, single convolutions."""
from statistics import median

from .figures import Spread, fastest, mebibytes, number, percent, ratios, table
from .machine import SCRATCH
from .processes import alternate

TRAINED = ["resnet20", "resnet32", "resnet56", "resnet8x4", "wrn_16_2", "vgg8", "resnet32x4",
           "MobileNetV2", "ShuffleV1", "ShuffleV2"]
TEACHERS = ["resnet56", "resnet32x4", "wrn_40_2"]
# Half precision is another accuracy and has a row of its own; two networks show where it stands.
HALF_PRECISION = ["resnet20", "resnet8x4"]

# Name: inputs, outputs, side, kernel, strides, groups.
CONVOLUTIONS = {
    "3×3 16→16 32²": (16, 16, 32, 3, 1, 1),
    "3×3 32→32 16²": (32, 32, 16, 3, 1, 1),
    "3×3 64→64 8²": (64, 64, 8, 3, 1, 1),
    "3×3 128→128 16²": (128, 128, 16, 3, 1, 1),
    "3×3 256→256 8²": (256, 256, 8, 3, 1, 1),
    "stem 3→16 32²": (3, 16, 32, 3, 1, 1),
    "3×3 16→32 32² /2": (16, 32, 32, 3, 2, 1),
    "3×3 64→128 32² /2": (64, 128, 32, 3, 2, 1),
    "1×1 16→32 32² /2": (16, 32, 32, 1, 2, 1),
    "1×1 96→16 16²": (96, 16, 16, 1, 1, 1),
    "1×1 116→116 16²": (116, 116, 16, 1, 1, 1),
    "1×1 480→120 4² 3 groups": (480, 120, 4, 1, 1, 3),
    "depthwise 96 16²": (96, 96, 16, 3, 1, 96),
    "depthwise 96 16² /2": (96, 96, 16, 3, 2, 96),
}
PASSES = ["forward", "input_gradient", "weight_gradient"]
PHASES = ["convolution", "batchNorm", "elementwise", "linear", "loss", "optimizer", "views", "cache",
          "other"]


def train(bench, options, report):
    """Forward, loss, backward, update: ours against PyTorch's."""
    rows, measured = [], []
    for name in report.networks(TRAINED, options):
        job = dict(mode="train", network=name, batch=options.batch, loss=options.loss,
                   seconds=options.seconds)
        makers = [
            lambda: bench.ours("ours", **job),
            lambda: bench.ours("peak", mode="peak", seconds=min(0.2, options.seconds)),
        ]
        if name in report.peer_networks:
            makers.append(lambda: bench.peer("PyTorch", "torch_step.py", **job))
            if name in HALF_PRECISION:
                makers.append(lambda: bench.peer(
                    "PyTorch bf16", "torch_step.py", precision="bf16", **job))
        found = {c.name: c for c in alternate(f"train {name}", makers, options.rounds)}
        result = summary(name, found)
        measured.append(result)
        ours = found["ours"]
        for contestant in found.values():
            if contestant.name == "peak":
                continue
            rates = contestant.values("images_per_second")
            mine = contestant is ours
            rows.append([
                name if mine else "", contestant.name, number(median(rates)),
                spread_of(rates),
                "" if mine else Spread.of(ratios(ours.values("images_per_second"), rates)),
                percent(result["flop_share"]) if mine else "",
                mebibytes(contestant.said["RESULT"]["peak_bytes"]),
            ])
    report.section(
        "train", f"Training step, batch {options.batch}, loss {options.loss}: images/s", measured,
        table(["network", "", "images/s", "least–most", "ours / it", "of FLOP limit", "memory"],
              rows))
    report.text(phase_table(measured))


def infer(bench, options, report):
    """A teacher's pass: ours against PyTorch, ONNX Runtime and OpenVINO."""
    rows, measured = [], []
    for name in report.networks(TEACHERS, options):
        job = dict(mode="infer", network=name, batch=options.batch, seconds=options.seconds)
        makers = [
            lambda: bench.ours("ours", **job),
            lambda: bench.ours("peak", mode="peak", seconds=min(0.2, options.seconds)),
        ]
        if name in report.peer_networks:
            file = str(SCRATCH / f"{name}-{options.batch}.onnx")
            bench.peer_once("runtimes.py", **{**job, "mode": "export", "file": file})
            makers += [
                lambda: bench.peer("PyTorch", "torch_step.py", **job),
                lambda: bench.peer("ONNX Runtime", "runtimes.py", runtime="onnxruntime",
                                   file=file, **job),
                lambda: bench.peer("OpenVINO", "runtimes.py", runtime="openvino", file=file,
                                   **job),
            ]
        found = {c.name: c for c in alternate(f"infer {name}", makers, options.rounds)}
        result = summary(name, found)
        measured.append(result)
        rates = {key: c.values("images_per_second") for key, c in found.items() if key != "peak"}
        peers = {key: values for key, values in rates.items() if key != "ours"}
        best = fastest(peers) if peers else None
        for key, values in rates.items():
            mine = key == "ours"
            rows.append([
                name if mine else "", key + (" (fastest peer)" if key == best else ""),
                number(median(values)), spread_of(values),
                "" if mine else Spread.of(ratios(rates["ours"], values)),
                percent(result["flop_share"]) if mine else "",
                mebibytes(found[key].said["RESULT"]["peak_bytes"]),
            ])
    report.section(
        "infer", f"Inference, batch {options.batch}: images/s", measured,
        table(["network", "", "images/s", "least–most", "ours / it", "of FLOP limit", "memory"],
              rows))
    report.text(phase_table(measured))


def kernels(bench, options, report):
    """Single convolutions in true GF/s, ours and PyTorch's."""
    rows, measured = [], []
    shapes = list(CONVOLUTIONS.items())
    for name, numbers in shapes[:2] if options.quick else shapes:
        shape = dict(zip(["inputs", "outputs", "size", "kernel", "strides", "groups"], numbers))
        job = dict(mode="convolution", convolution=shape, batch=options.batch,
                   seconds=options.seconds)
        ours, peak, peer = alternate(f"kernels {name}", [
            lambda: bench.ours("ours", **job),
            lambda: bench.ours("peak", mode="peak", seconds=min(0.2, options.seconds)),
            lambda: bench.peer("PyTorch", "torch_step.py", **job),
        ], options.rounds)
        result = {"shape": name, "rounds": {c.name: c.rounds for c in (ours, peak, peer)}}
        row = [name]
        for part in PASSES:
            share = median(ratios(ours.values(part), peak.values("gflops")))
            against = Spread.of(ratios(ours.values(part), peer.values(part)))
            result[part] = {"gflops": median(ours.values(part)), "flop_share": share,
                            "ratio": against.median}
            row += [number(median(ours.values(part))), percent(share, 0), against]
        measured.append(result)
        rows.append(row)
    header = ["convolution"]
    for part in ("forward", "input gradient", "weight gradient"):
        header += [part, "of limit", "ours / PyTorch"]
    report.section("kernels", f"Convolutions, batch {options.batch}: true GF/s", measured,
                   table(header, rows))


def summary(name, contestants):
    """What the JSON file keeps of one network's rounds."""
    ours, peak = contestants["ours"], contestants["peak"]
    rates = ours.values("images_per_second")
    return {
        "network": name,
        "images_per_second": {key: median(c.values("images_per_second"))
                              for key, c in contestants.items() if key != "peak"},
        "ratio": {key: median(ratios(rates, c.values("images_per_second")))
                  for key, c in contestants.items() if key not in ("ours", "peak")},
        "flop_share": median(ratios(ours.values("gflops"), peak.values("gflops"))),
        "peak_gflops": median(peak.values("gflops")),
        "phases": ours.said["PHASES"],
        "peak_bytes": {key: c.said["RESULT"]["peak_bytes"] for key, c in contestants.items()
                       if key != "peak"},
        "rounds": {key: c.rounds for key, c in contestants.items()},
    }


def phase_table(measured):
    """Where the time of a step goes, network by network."""
    present = [phase for phase in PHASES if any(phase in m["phases"] for m in measured)]
    rows = []
    for m in measured:
        phases = m["phases"]
        total = sum(phases[phase]["ms"] for phase in present if phase in phases)
        convolution = phases.get("convolution", {}).get("gflops")
        rows.append([m.get("title", m.get("network")), f"{total:.1f}"]
                    + [percent(phases.get(phase, {}).get("share")) for phase in present]
                    + [number(convolution)])
    return table(["where the time goes", "ms a step", *present, "GF/s of convolution"], rows)


def spread_of(values):
    return f"{number(min(values))}–{number(max(values))}"
