// Draining a mailbox.
#include "actors/api_server/pipeline/requeue.hpp"

#include <caf/system_messages.hpp>

#include "messages/type_ids.hpp"

namespace troupe::api {

namespace {

bool is_ordinary(caf::mailbox_element& element) {
  const auto& content = element.content();
  return content.match_elements<api::request>() || content.match_elements<api::watch_stop>() ||
         content.match_elements<cacher::open_watch>() || content.match_elements<cacher::close_watch>() ||
         content.match_elements<cacher::wait_for>();
}

}  // namespace

void requeue_unhandled(caf::scheduled_actor& crashed, const runtime::any_ref& successor) {
  if (!successor || crashed.mailbox().closed()) return;
  successor->drop_target(crashed.address());
  auto take = [&](caf::mailbox_element& element) {
    if (is_ordinary(element))
      successor.pointer()->enqueue(
          caf::make_mailbox_element(element.sender, caf::make_message_id(), {}, element.move_content_to_message()),
          nullptr);
    return caf::intrusive::task_result::resume;
  };
  crashed.mailbox().fetch_more();
  while (crashed.get_normal_queue().new_round(1000, take).consumed_items > 0) crashed.mailbox().fetch_more();
}

}  // namespace troupe::api
