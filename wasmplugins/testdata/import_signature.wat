;; Imports a host function with a signature of its own.
(module
  (import "octopus_v1" "call" (func $call (param i64) (result i64)))
  (memory (export "memory") 1)
  (func (export "_start") (drop (call $call (i64.const 0)))))
