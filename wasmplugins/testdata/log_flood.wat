;; Logs without end: a short line, then 64 KiB without a line's end.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "\20\00\00\00\05\00\00\00\00\04\00\00\00\00\01\00")
  (data (i32.const 32) "line\0a")
  (func (export "_start")
    (loop $again
      (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 2) (i32.const 64)))
      (br $again))))
