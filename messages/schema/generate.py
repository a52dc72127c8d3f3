#!/usr/bin/env python3
"""Makes the schema tables (C++ constants) and the typed views from data/*.json.

usage: generate.py [--list] DATA_DIR OUTPUT_DIR
--list prints the files that would be written, ';'-separated. The output depends on the data only; a file whose text
stays the same is not touched.
"""
import json
import os
import random
import re
import sys

MASK = (1 << 64) - 1
VERBS = {'create': 1, 'delete': 2, 'deletecollection': 4, 'get': 8, 'list': 16, 'patch': 32, 'update': 64, 'watch': 128}
# value_kind by the data's type names; anything else is a structure.
KINDS = {
    'bool': 'boolean', 'int32': 'int32', 'int64': 'int64', 'double': 'real', 'string': 'string', 'bytes': 'bytes',
    'time': 'time', 'microTime': 'micro_time', 'duration': 'duration', 'quantity': 'quantity',
    'intOrString': 'int_or_string', 'rawExtension': 'raw', 'fieldsV1': 'raw', 'json': 'any', 'any': 'any',
    'schemaOrArray': 'schema_or_array', 'schemaOrBool': 'schema_or_bool', 'schemaOrStringArray': 'schema_or_strings',
}
# What Go writes for the zero value of a kind.
ZEROS = {
    'boolean': 'false', 'int32': '0', 'int64': '0', 'real': '0', 'string': '""', 'bytes': 'null', 'time': 'null',
    'micro_time': 'null', 'duration': '"0s"', 'quantity': '"0"', 'int_or_string': '0', 'raw': 'null', 'any': 'null',
    'schema_or_array': 'null', 'schema_or_bool': 'false', 'schema_or_strings': 'null',
}
SCALARS = {'boolean', 'int32', 'int64', 'real', 'string', 'bytes'}
TEXTS = {'string', 'bytes', 'time', 'micro_time', 'duration', 'quantity'}
KEYWORDS = set('''alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept const
consteval constexpr constinit continue co_await co_return co_yield decltype default delete do double dynamic_cast else
enum explicit export extern false float for friend goto if inline int long mutable namespace new noexcept not not_eq
nullptr operator or or_eq private protected public register reinterpret_cast requires return short signed sizeof static
static_assert static_cast struct switch template this thread_local throw true try typedef typeid typename union
unsigned using virtual void volatile wchar_t while xor xor_eq'''.split())


def quote(text):
    """A C++ string literal."""
    out = ''
    for ch in text:
        if ch in '"\\':
            out += '\\' + ch
        elif ' ' <= ch <= '~':
            out += ch
        else:
            out += ''.join('\\%03o' % b for b in ch.encode())
    return '"' + out + '"'


def snake(name):
    """lowerCamel or UpperCamel JSON name as snake_case: podIPs -> pod_ips, HTTPGet -> http_get."""
    name = re.sub(r'[^A-Za-z0-9]+', '_', name).strip('_')
    name = re.sub(r'([A-Z]{2,})s(?![a-z])', lambda m: m.group(1).capitalize() + 's', name)
    name = re.sub(r'([a-z0-9])([A-Z])', r'\1_\2', name)
    name = re.sub(r'([A-Z]+)([A-Z][a-z])', r'\1_\2', name)
    return re.sub('_+', '_', name).lower()


def safe(name):
    return name + '_' if name in KEYWORDS else name


class Field:
    """One JSON field with its flattened place, as schema.hpp's struct field."""

    def __init__(self, row, schema, type_id, embedded):
        self.name = row['name']
        self.embedded = embedded
        self.number = row.get('num', 0)
        kind = row['type']
        self.form = 'single'
        if kind.startswith('map:[]'):
            self.form, kind = 'map_of_lists', kind[6:]
        elif kind.startswith('map:'):
            self.form, kind = 'map', kind[4:]
        elif kind.startswith('[]'):
            self.form, kind = 'list', kind[2:]
        self.target = None
        if kind in KINDS:
            self.kind = KINDS[kind]
        else:
            self.kind, self.target = 'structure', kind
        self.enum = row.get('enum')
        self.pointer = row.get('ptr', False)
        self.omit_empty = row.get('omitempty', False)
        self.omit_zero = row.get('omitzero', False)
        self.required = row.get('required', False)
        self.list = row.get('listType', 'none')
        strategy = row.get('patchStrategy', [])
        self.patch_merge = 'merge' in strategy
        self.patch_replace_keys = 'retainKeys' in strategy
        target_row = schema.raw['types'].get(self.target, {})
        self.atomic_map = row.get('mapType') == 'atomic' or row.get('structType') == 'atomic' or (
            'structType' not in row and target_row.get('structType') == 'atomic' and self.form == 'single')
        self.merge_key = row.get('patchMergeKey', '')
        self.map_keys = row.get('listMapKeys', [])
        self.default = json.dumps(row['default'], separators=(',', ':')) if 'default' in row else ''
        self.alias = go_type_name(row['alias']) if 'alias' in row else ''
        # The data do not tell Go's string types apart; this one is met often. Users' uids are plain strings.
        if self.name == 'uid' and not type_id.startswith(('auth', 'certificates')):
            self.alias = 'types.UID'

    def zero(self, schema):
        """What Go writes when the field is absent, or '' when it writes nothing."""
        struct_like = self.form == 'single' and not self.pointer and self.kind not in SCALARS
        if self.omit_zero or (self.omit_empty and not struct_like):
            return ''
        if self.form != 'single' or self.pointer:
            return 'null'
        return schema.zero(self.target) if self.kind == 'structure' else ZEROS[self.kind]


def go_type_name(type_id):
    """core/v1.ResourceList -> v1.ResourceList."""
    return type_id.split('/')[-1]


class Schema:
    def __init__(self, directory):
        def read(name):
            with open(os.path.join(directory, name), encoding='utf-8') as file:
                return json.load(file)
        self.raw = read('types.json')
        self.columns = read('columns.json')['columns']
        resources = read('resources.json')
        self.groups, self.resources = resources['groups'], resources['resources']
        self.packages = [p for p in self.raw['packages'] if '/' in p]
        self.types = [t for t, row in self.raw['types'].items()
                      if t.split('.')[0] in self.packages and 'wrap' not in row]
        self.type_index = {t: i for i, t in enumerate(self.types)}
        self.enums = list(self.raw['enums'])
        self.fields = {t: self.flatten(t) for t in self.types}
        self.kind_types = {}
        for package in self.packages:
            row = self.raw['packages'][package]
            for kind in row.get('kinds', []):
                self.kind_types[(row['group'], row['version'], kind)] = package + '.' + kind

    def flatten(self, type_id, embedded='', inside=()):
        out = []
        for row in self.raw['types'][type_id]['fields']:
            if row.get('inline'):
                out += self.flatten(row['type'], embedded + row['type'].split('.')[1] + '.', inside + (row['num'],))
            elif not row.get('noJSON'):
                out.append(Field(row, self, type_id, embedded))
                out[-1].inside = inside
        names = [f.name for f in out]
        assert len(set(names)) == len(names), type_id
        return out

    def zero(self, type_id):
        parts = ['"%s":%s' % (f.name, f.zero(self)) for f in self.fields[type_id] if f.zero(self)]
        return '{' + ','.join(parts) + '}'


def key_bits(text):
    """The 64 bits of a name that its hash is made of; the same as key_bits() in schema.cpp."""
    b = text.encode()
    n = len(b)
    if n >= 8:
        first, last = int.from_bytes(b[:8], 'little'), int.from_bytes(b[-8:], 'little')
    elif n >= 4:
        first, last = int.from_bytes(b[:4], 'little'), int.from_bytes(b[-4:], 'little')
    elif n:
        first, last = b[0] | b[n // 2] << 8 | b[n - 1] << 16, 0
    else:
        first = last = 0
    return (first + last * 0x9E3779B97F4A7C15 + n) & MASK


def perfect_hash(numbers, empty):
    """(multiplier, shift, slots): every number gets a slot of its own."""
    assert len(set(numbers)) == len(numbers)
    rng = random.Random(1)
    width = max(1, (len(numbers) - 1).bit_length())
    while True:
        for _ in range(400):
            multiplier = rng.getrandbits(64) | 1
            slots = [empty] * (1 << width)
            for index, value in enumerate(numbers):
                at = (value * multiplier & MASK) >> (64 - width)
                if slots[at] != empty:
                    break
                slots[at] = index
            else:
                return multiplier, 64 - width, slots
        width += 1


# How group, version and plural (or kind) are combined; the same as in schema.cpp.
FACTORS = (0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5)


class Writer:
    """Collects text; keeps a file's time stamp when nothing changed."""

    def __init__(self, path):
        self.path, self.lines = path, []

    def __call__(self, *lines):
        self.lines += lines

    def save(self):
        text = '\n'.join(self.lines) + '\n'
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        if not os.path.exists(self.path) or open(self.path, encoding='utf-8').read() != text:
            with open(self.path, 'w', encoding='utf-8') as file:
                file.write(text)


class Tables:
    """Writes tables.cpp."""

    def __init__(self, schema, path):
        self.schema, self.out, self.lists = schema, Writer(path), {}

    def strings(self, values):
        """Name of a constant array of these strings, or {} for none."""
        values = tuple(values)
        if not values:
            return '{}'
        if values not in self.lists:
            self.lists[values] = 'strings_%d' % len(self.lists)
            self.out('constexpr std::string_view %s[] = {%s};' % (self.lists[values], ', '.join(map(quote, values))))
        return self.lists[values]

    def field(self, f):
        def flag(value):
            return 'true' if value else 'false'
        schema = self.schema
        return '    {key(%s), %d, value_kind::%s, shape::%s, %s, %s, %s, %s, %s, %s, list_type::%s, %s, %s, %s, %s, %s, %s, %s, %s, %s},' % (
            quote('"%s":' % f.name), f.number, f.kind, f.form,
            schema.type_index[f.target] if f.target else 'no_index',
            schema.enums.index(f.enum) if f.enum else 'no_index',
            flag(f.pointer), flag(f.omit_empty), flag(f.omit_zero), flag(f.required), f.list, flag(f.patch_merge),
            flag(f.patch_replace_keys), flag(f.atomic_map), quote(f.merge_key), self.strings(f.map_keys),
            quote(f.default), quote(f.zero(schema)), quote(f.alias), quote(f.embedded))

    def types(self):
        rows = []
        for index, type_id in enumerate(self.schema.types):
            fields = self.schema.fields[type_id]
            multiplier, shift, slots = perfect_hash([key_bits(f.name) for f in fields], 0xff)
            always = [i for i, f in enumerate(fields) if f.zero(self.schema)]
            lines = [self.field(f) for f in fields]
            if fields:
                self.out('constexpr field fields_%d[] = {  // %s' % (index, type_id), *lines, '};')
            self.out('constexpr std::uint8_t slots_%d[] = {%s};' % (index, ', '.join(map(str, slots))))
            if always:
                self.out('constexpr std::uint16_t always_%d[] = {%s};' % (index, ', '.join(map(str, always))))
            package, name = type_id.split('.')
            rows.append('    {%s, %s, %s, %s, %d, %s, %dULL, %d, slots_%d},' % (
                quote(type_id), quote(name), 'fields_%d' % index if fields else '{}',
                'true' if self.schema.raw['types'][type_id].get('typeMeta') else 'false',
                self.schema.packages.index(package), 'always_%d' % index if always else '{}', multiplier, shift, index))
        self.out('constexpr type all_types[] = {', *rows, '};')

    def inlined(self):
        rows = []
        for index, type_id in enumerate(self.schema.types):
            for ordinal, f in enumerate(self.schema.fields[type_id]):
                if f.inside:
                    assert len(f.inside) < 3, type_id
                    rows.append('    {%d, %d, %d, %d},' % (index, ordinal, f.inside[0], (f.inside + (0,))[1]))
        self.out('constexpr inlined_field all_inlined[] = {', *rows, '};')

    def enums(self):
        rows = []
        for name in self.schema.enums:
            row = self.schema.raw['enums'][name]
            rows.append('    {%s, %s, %s},' % (quote(name), 'true' if row.get('enum') else 'false',
                                               self.strings(row['values'])))
        self.out('constexpr enumeration all_enums[] = {', *rows, '};')

    def packages(self):
        rows = []
        for name in self.schema.packages:
            row = self.schema.raw['packages'][name]
            rows.append('    {%s, %s, %s, %s, %s},' % (quote(name), quote(row['group']), quote(row['version']),
                                                       quote(row['openapi']), self.strings(row.get('kinds', []))))
        self.out('constexpr package all_packages[] = {', *rows, '};')

    def resources(self):
        schema, rows = self.schema, []
        hashes = {}
        for index, row in enumerate(schema.resources):
            # The storage version's hash names its group and version, so equal hashes mean one set of objects; the row
            # it was computed for comes first by the order of the data except for events and autoscalers.
            hashes.setdefault(row.get('storageVersionHash', index), []).append(index)
        preferred = {'Event': 'core/v1.Event', 'HorizontalPodAutoscaler': 'autoscaling/v2.HorizontalPodAutoscaler'}
        for index, row in enumerate(schema.resources):
            same = hashes[row.get('storageVersionHash', index)]
            storage = next(i for i in same if len(same) == 1 or schema.resources[i]['type'] == preferred[row['kind']])
            subs = self.subresources(index, row)
            columns = schema.columns.get(row['type'], [])
            if columns:
                self.out('constexpr column columns_%d[] = {' % index, *[
                    '    {%s, %s, %s, "", %d},' % (quote(c['name']), quote(c['type']), quote(c.get('format', '')),
                                                   c.get('priority', 0)) for c in columns], '};')
            rows.append('    {%s, %s, %s, %s, %s, %s, %s, %s, %s, %d, %d, %s, %s, %d, %s},' % (
                quote(row['group']), quote(row['version']), quote(row['kind']), quote(row.get('listKind', '')),
                quote(row['plural']), quote(row['singular']), 'true' if row['namespaced'] else 'false',
                self.strings(row.get('shortNames', [])), self.strings(row.get('categories', [])),
                sum(VERBS[v] for v in row['verbs']), schema.type_index[row['type']], subs,
                quote(row.get('storageVersionHash', '')), storage, 'columns_%d' % index if columns else '{}'))
        self.out('constexpr resource all_resources[] = {', *rows, '};')

    def subresources(self, index, row):
        subs = row.get('subresources', {})
        if not subs:
            return '{}'
        lines = []
        for name in sorted(subs):
            sub = subs[name]
            group, version = row['group'], row['version']
            if 'groupVersion' in sub:
                group, _, version = sub['groupVersion'].rpartition('/')
            type_id = self.schema.kind_types.get((group, version, sub['kind']))
            assert type_id, (row['kind'], name)
            lines.append('    {%s, %s, %s, %s, %d, %d},' % (quote(name), quote(group), quote(version),
                         quote(sub['kind']), self.schema.type_index[type_id], sum(VERBS[v] for v in sub['verbs'])))
        self.out('constexpr subresource subresources_%d[] = {' % index, *lines, '};')
        return 'subresources_%d' % index

    def lookups(self):
        rows = self.schema.resources
        order = sorted(range(len(self.schema.types)), key=lambda i: self.schema.types[i])
        self.out('constexpr std::uint16_t types_by_id[] = {%s};' % ', '.join(map(str, order)))
        for name, last in (('resources_by_plural', 'plural'), ('resources_by_kind', 'kind')):
            keys = [[row['group'], row['version'], row[last]] for row in rows]
            combined = [sum(key_bits(part) * factor for part, factor in zip(key, FACTORS)) & MASK for key in keys]
            multiplier, shift, slots = perfect_hash(combined, 0xffff)
            self.out('constexpr std::uint16_t %s_slots[] = {%s};' % (name, ', '.join(map(str, slots))),
                     'constexpr lookup %s = {%dULL, %d, %s_slots};' % (name, multiplier, shift, name))

    def write(self):
        self.out('// Generated by messages/schema/generate.py from messages/schema/data. Do not edit.',
                 '#include "messages/schema/tables.hpp"', '', '#include "messages/schema/protobuf.hpp"', '',
                 'namespace troupe::schema {', 'namespace {',
                 '// The name inside a literal that also has its JSON punctuation: "\\"name\\":".',
                 'template <std::size_t N>',
                 'constexpr std::string_view key(const char (&text)[N]) { return {text + 1, N - 4}; }')
        self.types()
        self.inlined()
        self.enums()
        self.packages()
        self.resources()
        self.out('constexpr group_version all_group_versions[] = {', *[
            '    {%s, %s, %d, %d},' % (quote(g['group']), quote(g['version']), g['groupPriorityMinimum'],
                                       g['versionPriority']) for g in self.schema.groups], '};')
        self.lookups()
        self.out('}  // namespace', '', 'constinit const tables generated = {',
                 '    all_types, all_enums, all_packages, all_resources, all_group_versions, types_by_id,',
                 '    resources_by_plural, resources_by_kind};', '',
                 'std::span<const inlined_field> inlined_fields() { return all_inlined; }', '',
                 '}  // namespace troupe::schema')
        self.out.save()


class Views:
    """Writes views/<package>.hpp."""

    def __init__(self, schema, directory):
        self.schema, self.directory = schema, directory

    @staticmethod
    def namespace(package):
        return package.replace('/', '_')

    def class_of(self, type_id, package):
        own, name = type_id.split('.')
        prefix = '' if own == package else self.namespace(own) + '::'
        return prefix + snake(name) + '_view'

    def path(self, package):
        return os.path.join(self.directory, self.namespace(package) + '.hpp')

    def ordered(self, package):
        """The package's types, used ones before their users."""
        done, out = set(), []

        def visit(type_id, trail):
            if type_id in done or type_id in trail:
                assert type_id in done or trail[-1] == type_id, 'mutual recursion: %s' % (trail,)
                return
            for f in self.schema.fields[type_id]:
                if f.target and f.target.split('.')[0] == package:
                    visit(f.target, trail + [type_id])
            done.add(type_id)
            out.append(type_id)
        for type_id in self.schema.types:
            if type_id.split('.')[0] == package:
                visit(type_id, [])
        return out

    def write(self, package):
        out = Writer(self.path(package))
        types = self.ordered(package)
        uses = sorted({f.target.split('.')[0] for t in types for f in self.schema.fields[t] if f.target} - {package})
        out('// Typed views of %s. Generated by messages/schema/generate.py from messages/schema/data. Do not edit.'
            % package, '#pragma once', '', '#include "messages/view.hpp"',
            *['#include "messages/views/%s.hpp"' % self.namespace(u) for u in uses], '',
            'namespace troupe::%s {' % self.namespace(package))
        for type_id in types:
            self.view(out, type_id, package)
        out('', '}  // namespace troupe::%s' % self.namespace(package))
        out.save()

    def view(self, out, type_id, package):
        name = snake(type_id.split('.')[1]) + '_view'
        out('', '/// %s' % type_id, 'class %s : public view {' % name, ' public:', '  using view::view;',
            '  static constexpr std::string_view type_id = "%s";' % type_id)
        members = [snake(f.name) for f in self.schema.fields[type_id]]
        if self.schema.raw['types'][type_id].get('typeMeta'):
            for json_name, ordinal in (('kind', 'kind_ordinal'), ('apiVersion', 'api_version_ordinal')):
                if snake(json_name) not in members:
                    self.text(out, json_name, snake(json_name), ordinal)
                    members.append(snake(json_name))
        assert len(set(members)) == len(members), type_id
        for index, f in enumerate(self.schema.fields[type_id]):
            self.accessors(out, f, index, package)
        out('};')

    @staticmethod
    def common(out, json_name, name):
        out('  bool has_%s() const { return field_exists("%s"); }' % (name, json_name),
            '  void clear_%s() { drop_field("%s"); }' % (name, json_name))

    def text(self, out, json_name, name, ordinal):
        self.common(out, json_name, name)
        out('  std::string_view %s() const { return field_text("%s"); }' % (safe(name), json_name),
            '  void set_%s(std::string_view value) { put_text("%s", %s, value); }' % (name, json_name, ordinal))

    def accessors(self, out, f, ordinal, package):
        name = snake(f.name)
        if f.form == 'single' and f.kind in TEXTS:
            return self.text(out, f.name, name, ordinal)
        self.common(out, f.name, name)
        key = '"%s"' % f.name
        if f.form == 'single' and f.kind in ('int32', 'int64', 'real', 'boolean'):
            cpp, suffix, zero = {'boolean': ('bool', 'flag', 'false'), 'real': ('double', 'real', '0')}.get(
                f.kind, ('std::int64_t', 'number', '0'))
            out('  %s %s(%s fallback = %s) const { return field_%s(%s, fallback); }' % (cpp, safe(name), cpp, zero, suffix,
                                                                                       key),
                '  void set_%s(%s value) { put_%s(%s, %d, value); }' % (name, cpp, suffix, key, ordinal))
            return None
        result = self.result(f, package)
        if result:
            out('  %s %s() const { return {view_document(), field_node(%s)}; }' % (result, safe(name), key),
                '  %s mutable_%s() { return {view_document(), make_field(%s, %d, node_type::%s)}; }' % (
                    result, name, key, ordinal, 'array' if f.form == 'list' else 'object'))
        else:
            out('  const node* %s() const { return field_node(%s); }' % (safe(name), key),
                '  node* mutable_%s() { return make_field(%s, %d, node_type::null); }' % (name, key, ordinal),
                '  void set_%s(const node& value) { put_node(%s, %d, value); }' % (name, key, ordinal))
            if f.form == 'single' and f.kind == 'int_or_string':
                out('  void set_%s(std::int64_t value) { put_number(%s, %d, value); }' % (name, key, ordinal),
                    '  void set_%s(std::string_view value) { put_text(%s, %d, value); }' % (name, key, ordinal))
        return None

    def result(self, f, package):
        """The view a list, map or structure is read through; None for a bare node."""
        item = self.class_of(f.target, package) if f.target else None
        if f.form == 'single':
            return item
        if f.form == 'list':
            if item:
                return 'troupe::list_view<%s>' % item  # meta/v1.List has a view of that name
            return {'int32': 'int_list_view', 'int64': 'int_list_view'}.get(
                f.kind, 'string_list_view' if f.kind in TEXTS else None)
        if f.form == 'map':
            if item:
                return 'struct_map_view<%s>' % item
            return 'map_view' if f.kind in TEXTS else None
        return None


def main(arguments):
    listing = arguments[:1] == ['--list']
    data, output = arguments[-2:]
    schema = Schema(data)
    views = Views(schema, os.path.join(output, 'messages', 'views'))
    table_path = os.path.join(output, 'messages', 'schema', 'tables.cpp')
    if listing:
        print(';'.join([table_path] + [views.path(p) for p in schema.packages]))
        return
    Tables(schema, table_path).write()
    for package in schema.packages:
        views.write(package)


main(sys.argv[1:])
