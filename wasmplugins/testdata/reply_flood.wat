;; Asks for large replies and reads none of them.
(module
  (import "octopus_v1" "call" (func $call (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 160)
  (data (i32.const 0) "log")
  (func (export "_start")
    (memory.fill (i32.const 1024) (i32.const 0x20) (i32.const 8000000))
    (loop $again
      (drop (call $call (i32.const 0) (i32.const 3) (i32.const 1024) (i32.const 8000000)))
      (br $again))))
