;; Fills and copies a table of the largest size again and again.
(module
  (table $t 65536 65536 funcref)
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $again
      (table.fill $t (i32.const 0) (ref.null func) (i32.const 65536))
      (table.copy $t $t (i32.const 1) (i32.const 0) (i32.const 65535))
      (br $again))))
