"""Writes what torch.onnx.export of PyTorch 2.13 makes of make.py's network: `present.onnx` by default, its larger weights in
`present.onnx.data`; `open.onnx` with nothing optimized and batch, height and width left open; `functions.onnx` by the exporter before
it, each module a function. Needs torch 2.9 or later, onnx and onnxscript. Run: python3 make_present.py"""
import os
import onnx, torch

HERE = os.path.dirname(os.path.abspath(__file__))
exec(open(os.path.join(HERE, 'make.py')).read().split('\nx, target =')[0])  # the network and its input

weights = {i.name: torch.from_numpy(onnx.numpy_helper.to_array(i).copy()) for i in onnx.load(os.path.join(HERE, 'flatten.onnx')).graph.initializer}
model = network(lambda y: torch.flatten(y, 1))
model.load_state_dict(weights)
model.eval()


def export(name, **options):
    path = os.path.join(HERE, name)
    torch.onnx.export(model, (image(2),), path, verbose=False, **options)
    made = onnx.load(path, load_external_data=False)
    for node in made.graph.node:  # the paths of this machine
        kept = [entry for entry in node.metadata_props if 'stack_trace' not in entry.key]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    onnx.save(made, path)


export('present.onnx')
export('open.onnx', external_data=False, optimize=False, dynamic_shapes=({0: 'batch', 2: 'height', 3: 'width'},))
export('functions.onnx', dynamo=False, opset_version=15, export_modules_as_functions=True)
