;; Does with the host what its parameters say: {"op":"<hex>","req":"<hex>"}, each before anything else of that name in
;; the request. Answers 200 with what the host replied as its result, null where it is no reply.
(module
  (import "octopus_v1" "call" (func $call (param i32 i32 i32 i32) (result i32)))
  (import "octopus_v1" "read" (func $read (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 512)
  (global $len (mut i32) (i32.const 0)) ;; of the request, which is at 1 MiB
  (data (i32.const 64) "\"op\":\"")
  (data (i32.const 80) "\"req\":\"")
  (data (i32.const 96) "{\"status_code\":200,\"result\":")
  (data (i32.const 128) "null}")
  (func $print (param $at i32) (param $len i32)
    (loop $more
      (i32.store (i32.const 0) (local.get $at))
      (i32.store (i32.const 4) (local.get $len))
      (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
      (local.set $at (i32.add (local.get $at) (i32.load (i32.const 8))))
      (local.set $len (i32.sub (local.get $len) (i32.load (i32.const 8))))
      (br_if $more (i32.gt_s (local.get $len) (i32.const 0)))))
  (func $take
    (loop $more
      (i32.store (i32.const 0) (i32.add (i32.const 1048576) (global.get $len)))
      (i32.store (i32.const 4) (i32.const 65536))
      (if (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
      (global.set $len (i32.add (global.get $len) (i32.load (i32.const 8))))
      (br_if $more (i32.load (i32.const 8)))))
  ;; find returns where the text behind a marker begins.
  (func $find (param $marker i32) (param $size i32) (result i32) (local $at i32) (local $i i32)
    (local.set $at (i32.const 1048576))
    (loop $next
      (local.set $i (i32.const 0))
      (block $differs
        (loop $same
          (br_if $differs (i32.ne (i32.load8_u (i32.add (local.get $at) (local.get $i))) (i32.load8_u (i32.add (local.get $marker) (local.get $i)))))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $same (i32.lt_u (local.get $i) (local.get $size))))
        (return (i32.add (local.get $at) (local.get $size))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (i32.add (i32.const 1048576) (global.get $len)))))
    unreachable)
  (func $digit (param $c i32) (result i32)
    (select (i32.sub (local.get $c) (i32.const 48)) (i32.sub (local.get $c) (i32.const 87)) (i32.lt_u (local.get $c) (i32.const 58))))
  ;; unhex writes the bytes that hexadecimal digits up to a quote stand for, and returns how many.
  (func $unhex (param $from i32) (param $to i32) (result i32) (local $n i32)
    (block $end
      (loop $next
        (br_if $end (i32.eq (i32.load8_u (local.get $from)) (i32.const 34)))
        (i32.store8 (i32.add (local.get $to) (local.get $n))
          (i32.add (i32.shl (call $digit (i32.load8_u (local.get $from))) (i32.const 4)) (call $digit (i32.load8_u (i32.add (local.get $from) (i32.const 1))))))
        (local.set $from (i32.add (local.get $from) (i32.const 2)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br $next)))
    (local.get $n))
  (func (export "_start") (local $op i32) (local $req i32) (local $n i32) (local $all i32)
    (call $take)
    (local.set $op (call $unhex (call $find (i32.const 64) (i32.const 6)) (i32.const 1024)))
    (local.set $req (call $unhex (call $find (i32.const 80) (i32.const 7)) (i32.const 65536)))
    (drop (call $call (i32.const 1024) (local.get $op) (i32.const 65536) (local.get $req)))
    (loop $more
      (local.set $n (call $read (i32.add (i32.const 8388608) (local.get $all)) (i32.const 65536)))
      (local.set $all (i32.add (local.get $all) (select (local.get $n) (i32.const 0) (i32.gt_s (local.get $n) (i32.const 0)))))
      (br_if $more (i32.gt_s (local.get $n) (i32.const 0))))
    (call $print (i32.const 96) (i32.const 28))
    (if (local.get $all)
      (then
        (call $print (i32.const 8388608) (local.get $all))
        (call $print (i32.const 132) (i32.const 1)))
      (else (call $print (i32.const 128) (i32.const 5))))))
