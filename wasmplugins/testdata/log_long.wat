;; Logs 5,000 lines, then succeeds.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\10\00\00\00\07\00\00\00")
  (data (i32.const 16) "a line\0a")
  (data (i32.const 32) "\28\00\00\00\13\00\00\00{\"status_code\":200}")
  (func (export "_start") (local $i i32)
    (loop $again
      (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 128)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 5000))))
    (drop (call $fd_write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 128)))))
