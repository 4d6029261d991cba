;; Accepts, sends and shuts down on every descriptor; traps when one of them is a socket.
(module
  (import "wasi_snapshot_preview1" "sock_accept" (func $accept (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "sock_shutdown" (func $shutdown (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\08\00\00\00\13\00\00\00{\"status_code\":200}")
  (func (export "_start") (local $fd i32)
    (loop $again
      (if (i32.eqz (call $accept (local.get $fd) (i32.const 0) (i32.const 128))) (then unreachable))
      (if (i32.eqz (call $shutdown (local.get $fd) (i32.const 2))) (then unreachable))
      (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $fd) (i32.const 256))))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))))
