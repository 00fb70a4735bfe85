"""The official checker for check-artifacts.mjs.

usage: check-artifacts.py list.json
`list.json` holds paths of models. Prints JSON: for each path that the checker finds fault with, what
it says. The check is full: shape inference in strict mode included.
"""
import json
import sys

import onnx

faults = {}
with open(sys.argv[1], encoding="utf-8") as file:
    paths = json.load(file)
for path in paths:
    try:
        onnx.checker.check_model(path, full_check=True)
    except Exception as error:  # whatever it is, the model did not pass
        faults[path] = str(error).strip().split("\n")[0]
print(json.dumps(faults))
