// store: normalizes a pixel and stores its channels
//   y[base + c · plane] = (value[c] · scale − mean[c]) · inv_std[c]
// value is rgb, or its channels in reverse order for BGR. The including file declares a Params with
// scale, bgr, mean_0 … mean_2 and inv_std_0 … inv_std_2.
fn store(base: u32, plane: u32, rgb: vec3f) {
  let value = select(rgb, rgb.zyx, params.bgr != 0u) * params.scale;
  y[base] = (value.x - params.mean_0) * params.inv_std_0;
  y[base + plane] = (value.y - params.mean_1) * params.inv_std_1;
  y[base + 2u * plane] = (value.z - params.mean_2) * params.inv_std_2;
}
