;; Looks for a folder among all descriptors, and tries to open "/etc/passwd" and "../canary" below each; traps when
;; one of them opens.
(module
  (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\08\00\00\00\13\00\00\00{\"status_code\":200}")
  (data (i32.const 128) "/etc/passwd")
  (data (i32.const 160) "../canary")
  (func $shut (param $fd i32) (param $at i32) (param $len i32)
    (if (i32.eqz (call $open (local.get $fd) (i32.const 1) (local.get $at) (local.get $len) (i32.const 0) (i64.const -1) (i64.const -1) (i32.const 0) (i32.const 64)))
      (then unreachable)))
  (func (export "_start") (local $fd i32)
    (loop $again
      (call $shut (local.get $fd) (i32.const 128) (i32.const 11))
      (call $shut (local.get $fd) (i32.const 160) (i32.const 9))
      (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $fd) (i32.const 256))))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))))
