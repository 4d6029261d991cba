;; Fails with exit code 1 if its memory is not zero, else dirties 8 MiB of it.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 128)
  (data (i32.const 0) "\08\00\00\00\13\00\00\00{\"status_code\":200}")
  (func (export "_start") (local $i i32)
    (local.set $i (i32.const 1024))
    (loop $again
      (if (i64.ne (i64.load (local.get $i)) (i64.const 0)) (then (call $proc_exit (i32.const 1))))
      (i64.store (local.get $i) (i64.const -1))
      (local.set $i (i32.add (local.get $i) (i32.const 1024)))
      (br_if $again (i32.lt_u (local.get $i) (i32.const 8388608))))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))))
