;; Has a start function, which an image could not do without running it: traps unless each came once.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (global $n (mut i32) (i32.const 0))
  (data (i32.const 0) "\08\00\00\00\13\00\00\00{\"status_code\":200}")
  (func $start (global.set $n (i32.add (global.get $n) (i32.const 1))))
  (start $start)
  (func (export "_initialize") (global.set $n (i32.add (global.get $n) (i32.const 16))))
  (func (export "octopus_run")
    (if (i32.ne (global.get $n) (i32.const 17)) (then unreachable))
    (global.set $n (i32.const 99))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))))
