-- What functions of values that may be large give, small ones among them.
-- Arrays contain and overlap by the values of their elements, whatever their dimensions; NULL is in nothing.
SELECT l, r, l @> r AS contains, l <@ r AS contained, l && r AS overlaps FROM (VALUES
  (ARRAY[1, 2, 3], ARRAY[3, 1, 1]), (ARRAY[1, NULL], ARRAY[1]), (ARRAY[1, NULL], ARRAY[NULL::int]),
  (ARRAY[NULL::int], ARRAY[NULL::int]), ('{}'::int[], ARRAY[1]), ('{}', '{}'), ('{{1,2},{3,4}}', '{{4},{2}}'),
  ('[5:6]={1,2}', ARRAY[2]), (ARRAY[1, 2], ARRAY[5, 6])) v (l, r);
SELECT ARRAY['a', ''] @> ARRAY[''], ARRAY[1.0, 2.50] @> ARRAY[2.5, 1], ARRAY['NaN'::float8] && ARRAY['NaN'::float8], ARRAY[0.0::float8] @> ARRAY['-0'::float8];
SELECT array_position(ARRAY[1, NULL, 3], NULL), array_position(ARRAY[7, 8, 7], 7, 2), array_position('[3:5]={7,8,7}'::int[], 7, 4), array_positions('[3:5]={7,8,7}'::int[], 7), array_remove(ARRAY[1, NULL, 2, NULL], NULL), array_replace(ARRAY[1, NULL, 2], NULL, 5), array_remove(ARRAY[1], 1);
SELECT array_to_string(ARRAY[1, NULL, 2], ','), array_to_string(ARRAY[NULL, 1], ',', '*'), array_to_string('{}'::int[], ','), array_to_string(ARRAY['', ''], '-');
SELECT array_fill(7, ARRAY[2, 2]), array_fill(NULL::int, ARRAY[2], ARRAY[5]), ARRAY(SELECT g FROM generate_series(1, 3) g), ARRAY(SELECT 1 WHERE false), ARRAY(SELECT ARRAY[g, g] FROM generate_series(1, 2) g);
-- So do documents.
SELECT l, r, l::jsonb @> r::jsonb AS contains FROM (VALUES ('[1, 2, [3]]', '[2, 2, 1]'), ('[1, [3, 4]]', '[[4]]'), ('[1]', '1'), ('1', '[1]'),
  ('["a", 1.0]', '[1, "a"]'), ('[{"a": 1}, {"b": [2]}]', '[{"b": []}]'), ('[]', '[]'), ('[1]', '[]'), ('{"a": [1]}', '{"a": []}'), ('[null]', '[null]'), ('[[1]]', '[1]')) v (l, r);
SELECT '[1,"a"]'::jsonb ? 'a', '{"a":1}'::jsonb ?| ARRAY['b', 'a'], '["a"]'::jsonb ?& ARRAY['a', 'b'], '"a"'::jsonb ? 'a';
SELECT '{"b":1,"aa":2,"b":3,"a":{"x":null}}'::jsonb, jsonb_strip_nulls('{"a":{"x":null},"b":[null]}'), '{"a":1,"b":2}'::jsonb || '{"a":3,"c":4}', '[1]'::jsonb || '2', jsonb_pretty('{"a":[1,{}],"b":[]}');
-- Parts of strings, from the front and from the end.
SELECT split_part('aaa', 'aa', -1), split_part('aaaa', 'aa', -2), split_part('a,b,c', ',', 2), split_part('a,b,c', ',', -3), split_part('a,b', ',', -3), split_part('', 'x', -1), split_part('a', '', -1);
SELECT replace('aaa', 'aa', 'b'), replace('abc', '', 'x'), replace('', 'a', 'b'), translate('12345', '143', 'ax'), reverse('aé日'), trim('xy' FROM 'xyabyx'), ltrim('  a '), btrim('aaa', 'a'), lpad('hi', 7, 'xyz'), rpad('hi', -1), repeat('ab', 3), repeat('', 5), strpos('hé日x', 'x'), strpos('a', ''), left('añejo', -2), right('añejo', 2), substr('añejo', 0, 3);
SELECT string_to_array('a,,b', ',', ''), string_to_array('abc', NULL), string_to_array('', ','), string_to_array('abc', ''), string_to_array('aaa', 'aa');
SELECT * FROM string_to_table('x~~y~~', '~~', 'y');
SELECT format('%s|%5s|%-5s|%L|%I|%2$s', 'a', 'b', 'c', 'd''e\f', 'G"h'), quote_literal('a\b''c'), quote_ident('a"B'), concat_ws('-', 1, NULL, 'x'), overlay('Txxxxas' PLACING 'hom' FROM 2 FOR 4), initcap('hi THOMAS o''neil');
-- Matches, and what is between them.
SELECT regexp_matches('foobarbequebaz', '(b[^b]+)(b[^b]+)', 'g');
SELECT regexp_matches('abc', '.', 'g');
SELECT regexp_matches('abc', 'x*', 'g');
SELECT regexp_matches('abcb', 'b');
SELECT regexp_split_to_table('the quick  fox', '\s*') p;
SELECT regexp_split_to_array(',a,', ','), regexp_split_to_array('abc', ''), regexp_split_to_array('', ','), regexp_split_to_array('aXbxc', 'x', 'i');
SELECT regexp_replace('foobarbaz', 'b(..)', 'X\1Y', 'g'), regexp_replace('foobarbaz', 'b..', 'X'), regexp_replace('abcabc', 'b', '[\&\\]', 1, 2), regexp_replace('abcabc', 'b', 'X', 3, 0), regexp_replace('abc', '', '-', 'g'), regexp_replace('aaa', 'a', 'X', 1, 2), regexp_replace('abc', 'x', 'y', 'g');
SELECT regexp_count('ababab', 'ab', 2), regexp_count('abc', ''), regexp_substr('foobarbaz', 'b(.)', 1, 2), regexp_substr('foobarbaz', 'b(.)', 1, 2, '', 1), regexp_substr('a', 'b'), regexp_instr('foobarbaz', 'b(.)', 1, 2, 1), regexp_instr('foobarbaz', 'b(.)(.)', 1, 2, 0, '', 2);
-- Digests and encodings.
SELECT md5(''), md5(repeat('abc', 50000)), sha256(convert_to(repeat('abc', 50000), 'UTF8')), sha224(''), hashtext(repeat('abc', 50000));
SELECT encode('a\000b\\\377', 'escape'), encode('\x0012ff', 'hex'), encode(decode('00ff10', 'hex'), 'base64'), decode('a\\b\377', 'escape'), decode('YW Jj' || E'\n' || 'ZA==', 'base64'), md5(encode(convert_to(repeat('abc', 50000), 'UTF8'), 'base64'));
-- Numbers of many digits.
SELECT gcd(0, 0.0), gcd(-12, 18.0), gcd(0, 5.50), gcd(6.6, 9.9), lcm(0, 3.0), lcm(-4, 6.0), lcm(1.5, 2.25), gcd('NaN', 1::numeric), gcd(2::numeric ^ 200 * 3, 2::numeric ^ 198 * 9);
SELECT -0.005::numeric, 0.00::numeric, -12.340::numeric, 1e20::numeric, 1e-5::numeric, md5((7::numeric ^ 3000)::text), 'NaN'::numeric, '-Infinity'::numeric, 0.5 - 0.5;
SELECT 1e131071::numeric * 10;
-- Sizes in words.
SELECT pg_size_bytes('1e3 kB'), pg_size_bytes('1E+3kb'), pg_size_bytes('1e-2 MB'), pg_size_bytes('-.5 kB'), pg_size_bytes(' 5. gB '), pg_size_bytes('2.5'), pg_size_bytes('9223372036854775807');
SELECT pg_size_bytes('1 b');
SELECT pg_size_bytes('1.5.5 kB');
SELECT pg_size_bytes('1e kB');
SELECT pg_size_bytes('1 e3');
SELECT pg_size_bytes('kB');
SELECT pg_size_bytes('8192 PB');
SELECT pg_size_bytes('1e100000 PB');
SELECT pg_size_bytes('1e99999999999 kB');
-- Bytes and bits.
SELECT position('\x0203'::bytea IN '\x01020203'), position(''::bytea IN '\x01'), position('\x05'::bytea IN '\x01'), position('\x0102'::bytea IN '\x01'), trim('\x00'::bytea FROM '\x00010000'), trim('\x01'::bytea FROM '\x0101'), ltrim('\x000100'::bytea, '\x00'), '\x01'::bytea || '\x02', overlay('\x010203'::bytea PLACING '\x0909' FROM 2 FOR 1), bit_count('\xff01'::bytea), set_byte('\x0102', 1, 9), set_bit('\x00'::bytea, 3, 1);
SELECT ~ B'0110', B'0110' & B'0011', B'0110' | B'0011', B'0110' # B'0011', bit_count(B'0110'), position(B'11' IN B'0110'), set_bit(B'000', 1, 1);
