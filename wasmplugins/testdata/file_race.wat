;; Reads a file of a folder while somebody renames links into its path, again and again.
;; What standard input holds goes into the middle of the request. Prints the host's last reply as its result; traps where
;; a reply has the canary in it.
(module
  (import "octopus_v1" "call" (func $call (param i32 i32 i32 i32) (result i32)))
  (import "octopus_v1" "read" (func $read (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 4)
  (data (i32.const 16) "file.read")
  (data (i32.const 32) "{\"status_code\":200,\"result\":")
  (data (i32.const 256) "/d/a\"}")
  (data (i32.const 1024) "{\"path\":\"")
  (func (export "_start") (local $len i32) (local $rounds i32) (local $n i32) (local $at i32)
    ;; The request: head, standard input, tail.
    (i32.store (i32.const 0) (i32.const 1033))
    (i32.store (i32.const 4) (i32.const 4096))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (local.set $len (i32.add (i32.const 9) (i32.load (i32.const 8))))
    (memory.copy (i32.add (i32.const 1024) (local.get $len)) (i32.const 256) (i32.const 6))
    (local.set $len (i32.add (local.get $len) (i32.const 6)))
    (local.set $rounds (i32.const 400))
    (loop $again
      (drop (call $call (i32.const 16) (i32.const 9) (i32.const 1024) (local.get $len)))
      (local.set $n (call $read (i32.const 65536) (i32.const 131072)))
      (local.set $at (i32.const 65536))
      (loop $look ;; for "the cana"
        (if (i64.eq (i64.load (local.get $at)) (i64.const 0x616e616320656874)) (then unreachable))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $look (i32.lt_u (local.get $at) (i32.add (i32.const 65536) (local.get $n)))))
      (local.set $rounds (i32.sub (local.get $rounds) (i32.const 1)))
      (br_if $again (local.get $rounds)))
    (i32.store8 (i32.add (i32.const 65536) (local.get $n)) (i32.const 125))
    (i32.store (i32.const 0) (i32.const 32))
    (i32.store (i32.const 4) (i32.const 28))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 0) (i32.const 65536))
    (i32.store (i32.const 4) (i32.add (local.get $n) (i32.const 1)))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
