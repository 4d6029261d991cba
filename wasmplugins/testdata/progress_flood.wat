;; Reports progress without end.
(module
  (import "octopus_v1" "call" (func $call (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "progress")
  (data (i32.const 16) "{\"fraction\":0.5,\"message\":\"again\"}")
  (func (export "_start")
    (loop $again
      (drop (call $call (i32.const 0) (i32.const 8) (i32.const 16) (i32.const 34)))
      (br $again))))
