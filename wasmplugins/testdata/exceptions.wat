;; Throws. (wat2wasm --enable-exceptions)
(module
  (tag $e)
  (memory (export "memory") 1)
  (func (export "_start") (throw $e)))
