;; Takes all the memory while it initialises, and then more.
(module
  (memory (export "memory") 1)
  (func (export "_initialize")
    (loop $again
      (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable))
      (memory.fill (i32.const 0) (i32.const 1) (i32.mul (memory.size) (i32.const 65536)))
      (br $again)))
  (func (export "octopus_run")))
