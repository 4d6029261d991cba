;; Writes a line, a report of progress and a line without an end; succeeds.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\38\00\00\00")
  (data (i32.const 16) "first\0a::octopus:: {\"progress\":0.4,\"message\":\"busy\"}\0alast")
  (data (i32.const 128) "\88\00\00\00\13\00\00\00{\"status_code\":200}")
  (func (export "_start")
    (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 256)))
    (drop (call $fd_write (i32.const 1) (i32.const 128) (i32.const 1) (i32.const 256)))))
