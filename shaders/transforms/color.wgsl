// What transforms/augment.wgsl and transforms/gray.wgsl share: rotation and color changes of an
// image, as torchvision computes them for tensors (ColorJitter, RandomRotation with bilinear
// interpolation). For a Params with size and fill_0 … fill_2.
//   rgb: f32[N][3][size][size] in 0..1
//   table: f32[N][16]: cos, sin, rotated, erased, kinds[4], amounts[4], top, left, bottom, right
const TABLE: u32 = 16u;
const BRIGHTNESS: f32 = 1.0;
const CONTRAST: f32 = 2.0;
const SATURATION: f32 = 3.0;
const HUE: f32 = 4.0;

fn gray(rgb: vec3f) -> f32 {
  return dot(rgb, vec3f(0.2989, 0.587, 0.114));
}

// Pixel (row, col) of image n, or the mean (fill_0 … fill_2) outside the image.
fn pixel(n: u32, row: i32, col: i32) -> vec3f {
  let size = i32(params.size);
  if (row < 0 || col < 0 || row >= size || col >= size) {
    return vec3f(params.fill_0, params.fill_1, params.fill_2);
  }
  let plane = params.size * params.size;
  let at = n * 3u * plane + u32(row) * params.size + u32(col);
  return vec3f(rgb[at], rgb[at + plane], rgb[at + 2u * plane]);
}

// The pixel that a counter-clockwise rotation about the middle of image n moves to (row, col),
// interpolated bilinearly between its four neighbors.
fn turned(n: u32, row: u32, col: u32) -> vec3f {
  let t = n * TABLE;
  if (table[t + 2u] == 0.0) {
    return pixel(n, i32(row), i32(col));
  }
  let middle = 0.5 * f32(params.size) - 0.5;
  let dx = f32(col) - middle;
  let dy = f32(row) - middle;
  let x = table[t] * dx - table[t + 1u] * dy + middle;
  let y = table[t + 1u] * dx + table[t] * dy + middle;
  let left = floor(x);
  let top = floor(y);
  let across = x - left;
  let down = y - top;
  let r = i32(top);
  let c = i32(left);
  return mix(
    mix(pixel(n, r, c), pixel(n, r, c + 1), across),
    mix(pixel(n, r + 1, c), pixel(n, r + 1, c + 1), across),
    down,
  );
}

// Moves the hue by `shift` of the color circle; value and saturation (HSV) stay. A gray has no hue.
fn move_hue(rgb: vec3f, shift: f32) -> vec3f {
  let value = max(rgb.r, max(rgb.g, rgb.b));
  let chroma = value - min(rgb.r, min(rgb.g, rgb.b));
  if (chroma == 0.0) {
    return rgb;
  }
  var sixths = (rgb.r - rgb.g) / chroma + 4.0;
  if (value == rgb.r) {
    sixths = (rgb.g - rgb.b) / chroma;
  } else if (value == rgb.g) {
    sixths = (rgb.b - rgb.r) / chroma + 2.0;
  }
  let turns = sixths / 6.0 + shift;
  let hue = 6.0 * (turns - floor(turns));
  // A channel over the color circle is a trapezoid. The three positions on it: hue + 5, 3, 1 mod 6.
  let raised = vec3f(5.0, 3.0, 1.0) + hue;
  let place = raised - 6.0 * floor(raised / 6.0);
  return value - chroma * clamp(min(place, 4.0 - place), vec3f(), vec3f(1.0));
}

fn blend(a: vec3f, b: f32, factor: f32) -> vec3f {
  return clamp(factor * a + (1.0 - factor) * b, vec3f(), vec3f(1.0));
}

// The pixel's color after the changes of image n. With until_contrast only those before contrast,
// which needs the mean gray at that point.
fn changed(n: u32, start: vec3f, mean: f32, until_contrast: bool) -> vec3f {
  var color = start;
  for (var k = 0u; k < 4u; k++) {
    let kind = table[n * TABLE + 4u + k];
    let amount = table[n * TABLE + 8u + k];
    if (kind == 0.0 || (kind == CONTRAST && until_contrast)) {
      break;
    }
    if (kind == BRIGHTNESS) {
      color = blend(color, 0.0, amount);
    } else if (kind == CONTRAST) {
      color = blend(color, mean, amount);
    } else if (kind == SATURATION) {
      color = blend(color, gray(color), amount);
    } else {
      color = move_hue(color, amount);
    }
  }
  return color;
}
