;; Prints a response whose result is a string of 2 MiB.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 33)
  (data (i32.const 0) "\40\00\00\00\1d\00\00\00\00\00\01\00\00\00\20\00\80\00\00\00\02\00\00\00")
  (data (i32.const 64) "{\"status_code\":200,\"result\":\"")
  (data (i32.const 128) "\"}")
  (func (export "_start")
    (memory.fill (i32.const 65536) (i32.const 120) (i32.const 2097152))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 3) (i32.const 32)))))
