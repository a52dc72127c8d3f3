// Decompression and parsing of trace segments.
#include "runtime/trace/reader.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <zstd.h>

#include "messages/document.hpp"
#include "messages/schema/schema.hpp"

namespace troupe::trace {

namespace {

// Our own frames are small; a larger one means that the file is none of ours.
constexpr std::size_t max_frame_bytes = std::size_t{256} << 20;

std::uint16_t resource_of(std::string_view label) {
  auto first = label.find('/');
  auto second = label.find('/', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return schema::no_index;
  return schema::find_resource(label.substr(0, first), label.substr(first + 1, second - first - 1),
                               label.substr(second + 1));
}

msgpack::unpacker fresh_unpacker() {
  return msgpack::unpacker(nullptr, nullptr, MSGPACK_UNPACKER_INIT_BUFFER_SIZE, safe_limits());
}

}  // namespace

struct reader::decoder {
  decoder() : context(ZSTD_createDCtx()), input(ZSTD_DStreamInSize()), output(ZSTD_DStreamOutSize()) {}
  ~decoder() { ZSTD_freeDCtx(context); }
  decoder(const decoder&) = delete;
  decoder& operator=(const decoder&) = delete;

  ZSTD_DCtx* context;
  std::ifstream file;
  std::string path;
  std::vector<char> input;
  std::vector<char> output;
  ZSTD_inBuffer pending{nullptr, 0, 0};
  bool at_end = true;        // of the file
  std::size_t expected = 0;  // 0: the compressed stream is complete
  msgpack::unpacker frames = fresh_unpacker();
};

reader::reader() : decoder_(std::make_unique<decoder>()) {}
reader::reader(reader&&) noexcept = default;
reader& reader::operator=(reader&&) noexcept = default;
reader::~reader() = default;

result<reader> reader::open(const std::string& path) {
  namespace fs = std::filesystem;
  reader made;
  std::error_code failed;
  if (fs::is_directory(path, failed)) {
    for (const auto& file : fs::directory_iterator(path, failed))
      if (file.path().string().ends_with(".trace.zst")) made.files_.push_back(file.path().string());
    std::sort(made.files_.begin(), made.files_.end());
  } else if (fs::exists(path, failed)) {
    made.files_.push_back(path);
  }
  if (made.files_.empty()) return not_found("", "traces", path);
  return made;
}

bool reader::open_next_file() {
  auto& in = *decoder_;
  while (next_file_ < files_.size()) {
    in.path = files_[next_file_++];
    in.file = std::ifstream(in.path, std::ios::binary);
    // A running recorder removes its oldest segments: one that is gone by now is not missed.
    std::error_code failed;
    if (!in.file && files_.size() > 1 && !std::filesystem::exists(in.path, failed)) continue;
    if (!in.file) return fail("cannot be read");
    ZSTD_DCtx_reset(in.context, ZSTD_reset_session_only);
    in.pending = {nullptr, 0, 0};
    in.at_end = false;
    in.expected = 1;
    in.frames = fresh_unpacker();
    return true;
  }
  return false;
}

bool reader::fail(const std::string& why) {
  error_ = make_status(reason::internal_error, decoder_->path + ": " + why);
  return false;
}

/// Decompresses some more into the unpacker; false at the end of the current file.
bool reader::fill() {
  auto& in = *decoder_;
  for (;;) {
    if (in.pending.pos == in.pending.size) {
      if (in.at_end) return false;
      in.file.read(in.input.data(), static_cast<std::streamsize>(in.input.size()));
      in.pending = {in.input.data(), static_cast<std::size_t>(in.file.gcount()), 0};
      if (in.file.bad()) return fail("cannot be read");
      if (in.pending.size == 0) {
        in.at_end = true;
        if (in.expected != 0) truncated_ = true;
        return false;
      }
    }
    ZSTD_outBuffer out{in.output.data(), in.output.size(), 0};
    in.expected = ZSTD_decompressStream(in.context, &out, &in.pending);
    if (ZSTD_isError(in.expected)) return fail(ZSTD_getErrorName(in.expected));
    if (out.pos == 0) continue;
    in.frames.reserve_buffer(out.pos);
    std::copy_n(in.output.data(), out.pos, in.frames.buffer());
    in.frames.buffer_consumed(out.pos);
    return true;
  }
}

bool reader::next(frame& out) {
  for (;;) {
    if (!error_.ok()) return false;
    if (decoder_->at_end && decoder_->frames.nonparsed_size() == 0 && !open_next_file()) return false;
    try {
      msgpack::object_handle value;
      if (decoder_->frames.next(value)) {
        if (!unpack_frame(value.get(), out)) return fail("not a trace frame");
        return accept(out);
      }
    } catch (const std::exception& broken) {  // damaged bytes that decompress: too deep, too large, no msgpack
      return fail(broken.what());
    }
    if (decoder_->frames.message_size() > max_frame_bytes) return fail("frame too large");
    if (!fill()) {
      if (!error_.ok()) return false;
      if (decoder_->frames.message_size() > 0) truncated_ = true;  // a frame that has begun counts, too
      decoder_->at_end = true;
      decoder_->frames = fresh_unpacker();
    }
  }
}

/// Keeps what later frames refer to; false for a format that this program does not know.
bool reader::accept(const frame& one) {
  if (one.kind == frame_kind::opening && one.version != format_version)
    return fail("recorded in format " + std::to_string(one.version) + ", this program reads format " +
                std::to_string(format_version) + ": record it anew");
  if (one.kind == frame_kind::object) keep_object(one);
  if (one.kind == frame_kind::layout) layouts_[one.layout] = {one.layout, one.event_names, one.effect_names};
  if (one.kind == frame_kind::state) layout_of_[one.component] = one.layout;
  return true;
}

const std::string& reader::file() const { return decoder_->path; }

const core_layout* reader::layout(std::uint64_t fingerprint) const {
  auto found = layouts_.find(fingerprint);
  return found == layouts_.end() ? nullptr : &found->second;
}

std::string reader::name_of(const frame& one) const {
  auto known = layout_of_.find(one.component);
  const auto* names = known == layout_of_.end() ? nullptr : layout(known->second);
  if (names) {
    const auto& list = one.kind == frame_kind::effect ? names->effects : names->events;
    if (one.alternative < list.size()) return list[one.alternative];
  }
  return "alternative " + std::to_string(one.alternative);
}

void reader::keep_object(const frame& from) {
  auto resource = resource_of(from.resource);
  auto parsed = document::parse(from.bytes);
  if (resource == schema::no_index || !parsed) return;
  if (auto* meta = parsed->root().find("metadata")) parsed->remove(*meta, "resourceVersion");
  auto made = make_object(resource, to_json(parsed->root()), from.revision, from.created);
  if (made) objects_[{from.resource, from.namespace_name, from.name, from.uid, from.revision}] = *made;
}

object_ptr reader::find(const object_reference& reference) const {
  auto found = objects_.find(reference);
  return found == objects_.end() ? nullptr : found->second;
}

}  // namespace troupe::trace
