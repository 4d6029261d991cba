;; Calls itself twice through a table, 64 deep: 2^64 calls.
(module
  (type $step (func (param i32)))
  (table funcref (elem $twice))
  (memory (export "memory") 1)
  (func $twice (type $step)
    (if (local.get 0) (then
      (call_indirect (type $step) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0))
      (call_indirect (type $step) (i32.sub (local.get 0) (i32.const 1)) (i32.const 0)))))
  (func (export "_start") (call_indirect (type $step) (i32.const 64) (i32.const 0))))
