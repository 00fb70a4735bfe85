"""The peer of the benchmarks: onnxruntime.quantization on the same model and data.

usage: quantize_peer.py model.onnx data.npz input samples batch out.onnx
                        [MinMax|Percentile|Entropy|Dynamic] [--per-tensor] [--preprocess] [--whole]
`input` names the array that feeds the model, or is "*": every input its namesake. With --whole
each sample is a whole input, without an axis for the batch. --preprocess runs onnxruntime.quantization.preprocess first, as
its documentation recommends (it wants sympy); where that fails, the model is taken as it is. Prints one
line of JSON: seconds of the work (imports excluded) and of the preprocessing within, processor seconds of the whole
process, and peak memory in bytes.
"""
import json
import logging
import os
import resource
import sys
import tempfile
import time

import numpy as np
import onnx
import onnx.version_converter
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

logging.disable(logging.WARNING)
flags = [arg for arg in sys.argv[1:] if arg.startswith("--")]
positional = [arg for arg in sys.argv[1:] if not arg.startswith("--")]
model, data, name, samples, batch, out = positional[:6]
method = positional[6] if len(positional) > 6 else "MinMax"
per_channel = "--per-tensor" not in flags


class Reader(CalibrationDataReader):
    def __init__(self, arrays, count, size):
        self.batches = iter(
            [
                {
                    key: np.asarray(values[i]) if "--whole" in flags else values[i : i + size]
                    for key, values in arrays.items()
                }
                for i in range(0, count, size)
            ]
        )

    def get_next(self):
        return next(self.batches, None)


def read_arrays():
    archive = np.load(data)
    names = [n for n in archive.files if n not in ("label", "labels")] if name == "*" else [name]
    return {n: archive[n][: int(samples)] for n in names}


def upgraded(folder):
    """Scales per channel need opset 13; onnx has a converter for older models."""
    loaded = onnx.load(model)
    opset = next(entry.version for entry in loaded.opset_import if entry.domain in ("", "ai.onnx"))
    if opset >= 13:
        return model
    try:
        path = os.path.join(folder, "upgraded.onnx")
        onnx.save(onnx.version_converter.convert_version(loaded, 13), path)
        return path
    except Exception:  # the converter does not know every model
        return model


def preprocessed(folder):
    """Symbolic shape inference needs sympy and fails for some models; the rest is tried without."""
    path = os.path.join(folder, "preprocessed.onnx")
    source = upgraded(folder)
    for skip_symbolic_shape in (False, True):
        try:
            quant_pre_process(source, path, skip_symbolic_shape=skip_symbolic_shape, auto_merge=True)
            return path
        except Exception:  # its own failure modes are many; the original is a fair fallback
            continue
    return model


def peak_bytes():
    """ru_maxrss would hold what the parent had when it forked; VmHWM begins with the program."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


start = time.perf_counter()
with tempfile.TemporaryDirectory() as folder:
    source = preprocessed(folder) if "--preprocess" in flags else model
    preprocessing = time.perf_counter() - start
    if method == "Dynamic":
        quantize_dynamic(source, out, per_channel=per_channel, weight_type=QuantType.QInt8)
    else:
        quantize_static(
            source,
            out,
            Reader(read_arrays(), int(samples), int(batch)),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=per_channel,
            calibrate_method=CalibrationMethod[method],
        )
seconds = time.perf_counter() - start
usage = resource.getrusage(resource.RUSAGE_SELF)
print(
    json.dumps(
        {
            "seconds": seconds,
            "preprocessing": preprocessing,
            "preprocessed": source != model,
            "cpu": usage.ru_utime + usage.ru_stime,
            "peak": peak_bytes(),
        }
    )
)
