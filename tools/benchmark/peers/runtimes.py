"""Inference by ONNX Runtime and by OpenVINO, which fold batch norms and choose their own layouts."""
import os
import warnings

import numpy as np
from conversation import JOB, serve_steps


def export(path):
    """Writes the network to an ONNX file for one batch size."""
    import networks
    import torch
    model = networks.make(JOB["network"]).eval()
    networks.rectify(in_place=False)  # means nothing in a graph
    images = torch.randn(JOB["batch"], 3, 32, 32)
    partial = path + ".partial"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model.to(memory_format=torch.contiguous_format), (images,), partial,
                          input_names=["x"], output_names=["y"], dynamo=False)
    os.replace(partial, path)


def onnxruntime(path):
    import onnxruntime as runtime
    options = runtime.SessionOptions()
    options.intra_op_num_threads = JOB["threads"]
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {"x": images})


def openvino(path):
    import openvino as runtime
    core = runtime.Core()
    compiled = core.compile_model(core.read_model(path), "CPU", {
        "INFERENCE_NUM_THREADS": JOB["threads"], "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"})
    request = compiled.create_infer_request()
    return lambda images: request.infer({0: images})


if __name__ == "__main__":
    if JOB["mode"] == "export":
        export(JOB["file"])
    else:
        run = {"onnxruntime": onnxruntime, "openvino": openvino}[JOB["runtime"]](JOB["file"])
        images = np.random.default_rng(0).standard_normal(
            (JOB["batch"], 3, 32, 32), dtype=np.float32)
        serve_steps(lambda: run(images), JOB["batch"])
