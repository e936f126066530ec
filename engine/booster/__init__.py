"""Code operations in WebAssembly sandboxes: the module, its batches, one sandbox around one instance.

Owner: nobody. `sandbox` is what callers use; importing this package costs no wasmtime.
"""
