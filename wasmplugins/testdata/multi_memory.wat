;; Two memories, one of them beyond the limit. (wat2wasm --enable-multi-memory)
(module
  (memory (export "memory") 1)
  (memory $more 65536)
  (func (export "_start")))
