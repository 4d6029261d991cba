;; witness tells a server outside Octopus that it starts, and that it ends. Rebuild witness.wasm after a change:
;;
;;   wat2wasm witness.wat -o witness.wasm
;;
;; It finds what it needs in its request by the names of the fields: "url" and "answer" of the params, "id" and
;; "attempt" of the execution. It answers with the status of "answer" and sixteen random digits, so that two starts
;; never have the same result.
(module
  (import "octopus_v1" "call" (func $call (param i32 i32 i32 i32) (result i32)))
  (import "octopus_v1" "read" (func $read (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
  ;; 0 iovec and counts, 64 random bytes, 256 texts, 64 KiB the request, 128 KiB what is being written, 192 KiB a reply
  (memory (export "memory") 4 4)
  (data (i32.const 256) "http.fetch")                    ;; 10
  (data (i32.const 272) "\"url\":\"")                    ;; 7
  (data (i32.const 288) "\"id\":\"exe_")                 ;; 10
  (data (i32.const 304) "\"attempt\":")                  ;; 10
  (data (i32.const 320) "\"answer\":")                   ;; 9
  (data (i32.const 336) "{\"url\":\"")                   ;; 8
  (data (i32.const 352) "/start?x=exe_")                 ;; 13
  (data (i32.const 368) "/end?x=exe_")                   ;; 11
  (data (i32.const 384) "&a=")                           ;; 3
  (data (i32.const 400) "\"}")                           ;; 2
  (data (i32.const 416) "\"status\":200")                ;; 12
  (data (i32.const 432) "{\"status_code\":")             ;; 15
  (data (i32.const 448) ",\"message\":\"attempt ")       ;; 20
  (data (i32.const 480) "\",\"result\":\"")              ;; 12
  (data (i32.const 512) "{\"status_code\":422,\"message\":\"The witness was not reached.\"}") ;; 60
  (data (i32.const 608) "200")
  (global $length (mut i32) (i32.const 0)) ;; of the request
  (global $out (mut i32) (i32.const 131072))

  ;; after the first place at or after $from where $n bytes at $text stand, before $end; 0 where they do not
  (func $find (param $from i32) (param $end i32) (param $text i32) (param $n i32) (result i32) (local $i i32)
    (loop $next
      (if (i32.gt_u (i32.add (local.get $from) (local.get $n)) (local.get $end)) (then (return (i32.const 0))))
      (local.set $i (i32.const 0))
      (block $differs
        (loop $same
          (br_if $differs (i32.ne
            (i32.load8_u (i32.add (local.get $from) (local.get $i)))
            (i32.load8_u (i32.add (local.get $text) (local.get $i)))))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $same (i32.lt_u (local.get $i) (local.get $n))))
        (return (i32.add (local.get $from) (local.get $n))))
      (local.set $from (i32.add (local.get $from) (i32.const 1)))
      (br $next))
    (unreachable))

  (func $field (param $text i32) (param $n i32) (result i32)
    (call $find (i32.const 65536) (i32.add (i32.const 65536) (global.get $length)) (local.get $text) (local.get $n)))

  (func $byte (param $b i32)
    (i32.store8 (global.get $out) (local.get $b))
    (global.set $out (i32.add (global.get $out) (i32.const 1))))

  (func $put (param $text i32) (param $n i32)
    (memory.copy (global.get $out) (local.get $text) (local.get $n))
    (global.set $out (i32.add (global.get $out) (local.get $n))))

  ;; puts what stands at $from up to a quote, a comma or a brace
  (func $value (param $from i32) (local $b i32)
    (block $end
      (loop $next
        (local.set $b (i32.load8_u (local.get $from)))
        (br_if $end (i32.eq (local.get $b) (i32.const 34)))
        (br_if $end (i32.eq (local.get $b) (i32.const 44)))
        (br_if $end (i32.eq (local.get $b) (i32.const 125)))
        (call $byte (local.get $b))
        (local.set $from (i32.add (local.get $from) (i32.const 1)))
        (br $next))))

  ;; fetches the URL with $text behind it, and reports whether the witness answered 200
  (func $tell (param $text i32) (param $n i32) (result i32) (local $length i32) (local $got i32)
    (global.set $out (i32.const 131072))
    (call $put (i32.const 336) (i32.const 8))
    (call $value (call $field (i32.const 272) (i32.const 7)))
    (call $put (local.get $text) (local.get $n))
    (call $value (call $field (i32.const 288) (i32.const 10)))
    (call $put (i32.const 384) (i32.const 3))
    (call $value (call $field (i32.const 304) (i32.const 10)))
    (call $put (i32.const 400) (i32.const 2))
    (if (i32.lt_s
          (call $call (i32.const 256) (i32.const 10) (i32.const 131072) (i32.sub (global.get $out) (i32.const 131072)))
          (i32.const 0))
      (then (return (i32.const 0))))
    (loop $more
      (local.set $got (call $read (i32.add (i32.const 196608) (local.get $length)) (i32.sub (i32.const 60000) (local.get $length))))
      (if (i32.gt_s (local.get $got) (i32.const 0))
        (then
          (local.set $length (i32.add (local.get $length) (local.get $got)))
          (br_if $more (i32.lt_u (local.get $length) (i32.const 60000))))))
    (i32.ne (i32.const 0)
      (call $find (i32.const 196608) (i32.add (i32.const 196608) (local.get $length)) (i32.const 416) (i32.const 12))))

  (func $stdin (local $n i32)
    (block $end
      (loop $more
        (i32.store (i32.const 0) (i32.add (i32.const 65536) (global.get $length)))
        (i32.store (i32.const 4) (i32.sub (i32.const 65536) (global.get $length)))
        (br_if $end (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
        (local.set $n (i32.load (i32.const 8)))
        (br_if $end (i32.eqz (local.get $n)))
        (global.set $length (i32.add (global.get $length) (local.get $n)))
        (br_if $more (i32.lt_u (global.get $length) (i32.const 65536))))))

  (func $stdout (param $from i32) (param $n i32)
    (i32.store (i32.const 0) (local.get $from))
    (i32.store (i32.const 4) (local.get $n))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))

  (func $random (local $i i32)
    (drop (call $random_get (i32.const 64) (i32.const 16)))
    (loop $next
      (call $byte (i32.add (i32.const 97) (i32.and (i32.const 15) (i32.load8_u (i32.add (i32.const 64) (local.get $i))))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (i32.const 16)))))

  (func (export "_start") (local $answer i32)
    (call $stdin)
    (if (i32.eqz (call $tell (i32.const 352) (i32.const 13)))
      (then
        (call $stdout (i32.const 512) (i32.const 60))
        (return)))
    (drop (call $tell (i32.const 368) (i32.const 11)))
    (global.set $out (i32.const 131072))
    (call $put (i32.const 432) (i32.const 15))
    (local.set $answer (call $field (i32.const 320) (i32.const 9)))
    (if (local.get $answer)
      (then (call $value (local.get $answer)))
      (else (call $put (i32.const 608) (i32.const 3))))
    (call $put (i32.const 448) (i32.const 20))
    (call $value (call $field (i32.const 304) (i32.const 10)))
    (call $put (i32.const 480) (i32.const 12))
    (call $random)
    (call $put (i32.const 400) (i32.const 2))
    (call $stdout (i32.const 131072) (i32.sub (global.get $out) (i32.const 131072)))))
