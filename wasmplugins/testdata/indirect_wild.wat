;; Calls through a table what is not there.
(module
  (type $step (func))
  (table 1 funcref)
  (memory (export "memory") 1)
  (func (export "_start") (call_indirect (type $step) (i32.const 99))))
