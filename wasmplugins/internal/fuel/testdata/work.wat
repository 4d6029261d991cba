;; Loops and calls of several kinds, to compare with and without counting.
(module
  (memory (export "memory") 16)
  (table 4 8 funcref)
  (elem (i32.const 0) $zero $fib)
  (elem $more func $fib $zero)
  (data $bytes "0123456789abcdef")
  (global $calls (export "calls") (mut i32) (i32.const 0))
  (type $unary (func (param i32) (result i64)))

  (func $zero (type $unary) (i64.const 0))

  ;; The tightest loop there is use for: seven instructions a round.
  (func (export "sum") (param $n i32) (result i64) (local $s i64)
    (loop $again
      (local.set $s (i64.add (i64.mul (local.get $s) (i64.const 6364136223846793005)) (i64.const 1442695040888963407)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $s))

  ;; Leaves from the middle, as compilers write "while".
  (func (export "while") (param $n i32) (result i64) (local $s i64)
    (block $out
      (loop $again
        (br_if $out (i32.eqz (local.get $n)))
        (local.set $s (i64.xor (i64.rotl (local.get $s) (i64.const 5)) (i64.extend_i32_u (local.get $n))))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (br $again)))
    (local.get $s))

  (func (export "sieve") (param $n i32) (result i64) (local $i i32) (local $j i32) (local $found i64)
    (memory.fill (i32.const 0) (i32.const 1) (local.get $n))
    (local.set $i (i32.const 2))
    (block $out
      (loop $next
        (br_if $out (i32.ge_u (local.get $i) (local.get $n)))
        (if (i32.load8_u (local.get $i))
          (then
            (local.set $found (i64.add (local.get $found) (i64.const 1)))
            (local.set $j (i32.add (local.get $i) (local.get $i)))
            (block $done
              (loop $strike
                (br_if $done (i32.ge_u (local.get $j) (local.get $n)))
                (i32.store8 (local.get $j) (i32.const 0))
                (local.set $j (i32.add (local.get $j) (local.get $i)))
                (br $strike)))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (local.get $found))

  (func (export "collatz") (param $n i32) (result i64) (local $x i64) (local $steps i64)
    (loop $each
      (local.set $x (i64.extend_i32_u (local.get $n)))
      (block $done
        (loop $step
          (br_if $done (i64.le_u (local.get $x) (i64.const 1)))
          (if (i64.eqz (i64.and (local.get $x) (i64.const 1)))
            (then (local.set $x (i64.shr_u (local.get $x) (i64.const 1))))
            (else (local.set $x (i64.add (i64.mul (local.get $x) (i64.const 3)) (i64.const 1)))))
          (local.set $steps (i64.add (local.get $steps) (i64.const 1)))
          (br $step)))
      (br_if $each (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $steps))

  (func $fib (export "fib") (param $n i32) (result i64)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (if (result i64) (i32.lt_u (local.get $n) (i32.const 2))
      (then (i64.extend_i32_u (local.get $n)))
      (else (i64.add
        (call $fib (i32.sub (local.get $n) (i32.const 1)))
        (call_indirect (type $unary) (i32.sub (local.get $n) (i32.const 2)) (i32.const 1))))))

  ;; A machine that runs its program of bytes at 0x8000: what interpreters in wasm look like.
  (func (export "machine") (param $n i32) (result i64) (local $pc i32) (local $a i64) (local $b i64)
    (memory.copy (i32.const 0x8000) (i32.const 0x9000) (i32.const 16))
    (memory.init $bytes (i32.const 0x8000) (i32.const 0) (i32.const 16))
    (loop $next
      (block $halt
        (block $jump (block $swap (block $mix (block $double (block $count
          (br_table $count $double $mix $swap $count $jump
            (i32.and (i32.load8_u offset=0x8000 (i32.and (local.get $pc) (i32.const 15))) (i32.const 3))))
          (local.set $a (i64.add (local.get $a) (i64.const 1))) (br $halt))
          (local.set $a (i64.shl (local.get $a) (i64.const 1))) (br $halt))
          (local.set $b (i64.xor (i64.mul (local.get $b) (i64.const 31)) (i64.rotr (local.get $a) (i64.const 7)))) (br $halt))
          (local.set $a (i64.xor (local.get $a) (local.get $b)))
          (local.set $b (i64.xor (local.get $a) (local.get $b)))
          (local.set $a (i64.xor (local.get $a) (local.get $b))) (br $halt))
        (local.set $pc (i32.const 0)))
      (local.set $pc (i32.add (local.get $pc) (i32.const 1)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i64.add (local.get $a) (local.get $b)))

  ;; Moves memory and tables.
  (func (export "bulk") (param $n i32) (result i64)
    (loop $again
      (memory.fill (i32.const 0x100) (local.get $n) (i32.const 0x1000))
      (memory.copy (i32.const 0x1100) (i32.const 0x100) (i32.const 0x1000))
      (table.init $more (i32.const 2) (i32.const 0) (i32.const 2))
      (table.copy (i32.const 0) (i32.const 2) (i32.const 1))
      (drop (table.grow 0 (ref.null func) (i32.const 1)))
      (table.fill 0 (i32.const 3) (ref.func $zero) (i32.const 1))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i64.load (i32.const 0x2000)))

  (func (export "fill") (param $n i32) (result i64)
    (drop (call $zero (i32.const 0)))
    (memory.fill (i32.const 0) (i32.const 1) (local.get $n))
    (i64.const 0))

  ;; Leaves three blocks at once, past 80 instructions.
  (func (export "skip") (param $n i32) (result i64)
    (block $out
      (block
        (block
          (br_if $out (local.get $n))))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (local.set $n (i32.add (local.get $n) (i32.const 1))))
    (i64.const 0))

  (func $trap (export "trap") (param $n i32) (result i64)
    (if (result i64) (i32.eqz (local.get $n))
      (then (unreachable))
      (else (i64.div_u (i64.const 1) (i64.extend_i32_u (i32.sub (local.get $n) (i32.const 1))))))))
