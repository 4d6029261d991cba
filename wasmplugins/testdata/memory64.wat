;; A memory with 64-bit addresses, which this is not for. (wat2wasm --enable-memory64)
(module
  (memory (export "memory") i64 1)
  (func (export "_start")))
