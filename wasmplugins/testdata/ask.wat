;; Asks the host with the operation test.ask and prints the reply, whatever
;; it is, in pieces of 16 bytes.
(module
  (import "octopus_v1" "call" (func $call (param i32 i32 i32 i32) (result i32)))
  (import "octopus_v1" "read" (func $read (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "test.ask")
  (data (i32.const 16) "question")
  (func (export "_start") (local $n i32)
    (drop (call $call (i32.const 0) (i32.const 8) (i32.const 16) (i32.const 8)))
    (loop $again
      (local.set $n (call $read (i32.const 256) (i32.const 16)))
      (i32.store (i32.const 32) (i32.const 256))
      (i32.store (i32.const 36) (local.get $n))
      (drop (call $fd_write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 64)))
      (br_if $again (local.get $n)))))
