// Immutable, shared bytes: the form in which API objects travel and rest.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <msgpack.hpp>

namespace troupe {

/// Bytes that never change once made. Copying shares them; an empty value holds nothing.
class shared_bytes {
 public:
  shared_bytes() = default;
  explicit shared_bytes(std::string text) : data_(std::make_shared<const std::string>(std::move(text))) {}
  explicit shared_bytes(std::shared_ptr<const std::string> data) : data_(std::move(data)) {}

  /// The bytes; an empty view when nothing is held.
  std::string_view view() const { return data_ ? std::string_view(*data_) : std::string_view(); }
  std::size_t size() const { return data_ ? data_->size() : 0; }
  bool empty() const { return size() == 0; }
  const std::shared_ptr<const std::string>& pointer() const { return data_; }

  friend bool operator==(const shared_bytes& a, const shared_bytes& b) { return a.view() == b.view(); }

  template <class Packer>
  void msgpack_pack(Packer& packer) const {
    const std::string_view bytes = view();
    packer.pack_bin(static_cast<std::uint32_t>(bytes.size()));
    packer.pack_bin_body(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
  }
  void msgpack_unpack(const msgpack::object& from) {
    if (from.type != msgpack::type::BIN) throw msgpack::type_error();
    *this = shared_bytes(std::string(from.via.bin.ptr, from.via.bin.size));
  }

 private:
  std::shared_ptr<const std::string> data_;
};

/// A run of bytes inside a shared buffer: how a response body is put together without copying.
struct piece {
  shared_bytes data;
  std::size_t offset = 0;
  std::size_t size = 0;

  piece() = default;
  explicit piece(shared_bytes whole) : data(std::move(whole)), size(data.size()) {}
  piece(shared_bytes from, std::size_t at, std::size_t length) : data(std::move(from)), offset(at), size(length) {}

  std::string_view view() const { return data.view().substr(offset, size); }
  MSGPACK_DEFINE(data, offset, size)
};

}  // namespace troupe
