// Frames of one core's steps.
#include "runtime/trace/core_trace.hpp"

#include <iterator>
#include <utility>

namespace troupe::trace {

void core_trace::record_state(std::string_view bytes, std::vector<object_ptr> objects, const core_layout& layout) {
  segment_ = recorder_->segment();
  layout_ = &layout;
  keep(pack_state(owner_.path(), owner_.incarnation(), seq_, owner_.steady_now_us(), bytes, core_, layout.fingerprint),
       std::move(objects));
}

void core_trace::record_event(const packed_value& event, std::vector<object_ptr> objects,
                              const std::vector<cause>& causes) {
  ++seq_;
  owner_.note_step(seq_);
  keep(pack_event(owner_.path(), owner_.incarnation(), seq_, owner_.steady_now_us(), event.alternative, event.bytes,
                  causes),
       std::move(objects));
}

void core_trace::record_effect(const packed_value& effect, std::vector<object_ptr> objects) {
  keep(pack_effect(owner_.path(), owner_.incarnation(), seq_, owner_.steady_now_us(), effect.alternative, effect.bytes),
       std::move(objects));
}

void core_trace::keep(const std::string& frame, std::vector<object_ptr> objects) {
  frames_ += frame;
  objects_.insert(objects_.end(), std::make_move_iterator(objects.begin()), std::make_move_iterator(objects.end()));
}

void core_trace::commit() {
  if (frames_.empty()) return;
  recorder_->add(std::exchange(frames_, {}), std::exchange(objects_, {}), std::exchange(layout_, nullptr));
}

}  // namespace troupe::trace
