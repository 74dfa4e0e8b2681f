// What the bundler makes of the imports that are not JavaScript.
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
