;; Takes all the memory in its start function, and then more.
(module
  (memory (export "memory") 1)
  (func $grow
    (loop $again
      (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable))
      (br $again)))
  (start $grow)
  (func (export "_start")))
