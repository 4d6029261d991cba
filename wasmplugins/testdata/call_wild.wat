;; Calls the host with pointers outside its memory and names that are too
;; long; traps unless each call is refused.
(module
  (import "octopus_v1" "call" (func $call (param i32 i32 i32 i32) (result i32)))
  (import "octopus_v1" "read" (func $read (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\08\00\00\00\13\00\00\00{\"status_code\":200}")
  (func $refused (param i32) (if (i32.ge_s (local.get 0) (i32.const 0)) (then unreachable)))
  (func (export "_start")
    (call $refused (call $call (i32.const -1) (i32.const 4) (i32.const 0) (i32.const 0)))
    (call $refused (call $call (i32.const 0) (i32.const -1) (i32.const 0) (i32.const 0)))
    (call $refused (call $call (i32.const 0) (i32.const 4) (i32.const 65535) (i32.const 2)))
    (call $refused (call $call (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))
    (call $refused (call $call (i32.const 0) (i32.const 100) (i32.const 0) (i32.const 0)))
    (drop (call $read (i32.const 65536) (i32.const -1)))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))))
