"""What torchvision's own transforms make of an image: the values that test/data/augment.test.ts compares with.
Run: python3 augmentOracle.py > augmentOracle.json   (torchvision 0.14 or newer)"""
import base64, json, sys, torch
import torchvision.transforms.functional as F
from torchvision.transforms import InterpolationMode

SIZE = 12
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
generator = torch.Generator().manual_seed(7)
# Colors from gray to garish, so that every sixth of the color circle occurs, and some exact grays.
image = torch.randint(0, 256, (3, 16, 20), generator=generator, dtype=torch.uint8)
image[:, 3:6, 4:9] = image[:1, 3:6, 4:9]
ADJUST = dict(brightness=F.adjust_brightness, contrast=F.adjust_contrast, saturation=F.adjust_saturation, hue=F.adjust_hue)

# rotate's own `fill` darkens the pixels on the border: it weighs them by what they cover twice. So the fill is there before it turns.
surrounded = lambda x: torch.stack([F.pad(plane[None], [SIZE] * 4, fill=value)[0] for plane, value in zip(x, MEAN)])

def run(part, flip, rotation, colors, erased):
    x = image.float() / 255
    x = F.resized_crop(x, part['top'], part['left'], part['height'], part['width'], [SIZE, SIZE], antialias=True)
    if flip: x = F.hflip(x)
    if rotation: x = F.center_crop(F.rotate(surrounded(x), rotation, InterpolationMode.BILINEAR), [SIZE, SIZE])
    for change in colors: x = ADJUST[change['kind']](x, change['amount'])
    x = F.normalize(x, MEAN, STD)
    if erased: x = F.erase(x, erased['top'], erased['left'], erased['height'], erased['width'], torch.tensor(0.0))
    return x

# Bytes as they lie in memory: float32 little-endian, or uint8.
encoded = lambda t: base64.b64encode(t.contiguous().numpy().tobytes()).decode()
rect = lambda top, left, height, width: dict(top=top, left=left, height=height, width=width)
change = lambda kind, amount: dict(kind=kind, amount=amount)
whole, corner, upscaled = rect(0, 0, 16, 20), rect(2, 5, 14, 13), rect(9, 1, 5, 7)
b, c, s, h = (change('brightness', 0.62), change('contrast', 1.7), change('saturation', 0.35), change('hue', 0.23))
draws = dict(
    part=(corner, False, 0, [], None), flipped=(upscaled, True, 0, [], None),
    turned=(whole, False, 33.5, [], None), turned_back=(whole, True, -127, [], None), quarter=(whole, False, 90, [], None),
    darker=(whole, False, 0, [b], None), brighter=(whole, False, 0, [change('brightness', 1.4)], None),
    flat=(whole, False, 0, [change('contrast', 0.3)], None), harsh=(whole, False, 0, [c], None),
    gray=(whole, False, 0, [change('saturation', 0)], None), garish=(whole, False, 0, [change('saturation', 1.8)], None),
    hue=(whole, False, 0, [h], None), hue_back=(whole, False, 0, [change('hue', -0.5)], None),
    erased=(whole, False, 0, [], rect(3, 0, 6, 5)),
    contrast_first=(corner, True, 20, [c, h, s, b], None), contrast_last=(corner, False, -15, [s, b, h, c], rect(0, 7, 3, 5)),
    contrast_between=(upscaled, True, 171, [h, b, c, s], rect(11, 11, 1, 1)),
)
cases = {}
for name, (part, flip, rotation, colors, erased) in draws.items():
    y = run(part, flip, rotation, colors, erased)
    cases[name] = dict(part=part, flip=flip, rotation=rotation, colors=colors, erased=erased, y=encoded(y))
json.dump(dict(size=SIZE, mean=MEAN, std=STD, width=20, height=16, rgb=encoded(image.permute(1, 2, 0)), cases=cases), sys.stdout)
