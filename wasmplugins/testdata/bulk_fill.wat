;; Fills 32 MiB again and again: one instruction that takes long, in a loop.
(module
  (memory (export "memory") 512)
  (func (export "_start")
    (loop $again
      (memory.fill (i32.const 0) (i32.const 7) (i32.const 33554432))
      (br $again))))
