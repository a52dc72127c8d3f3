// `troupe store`: snapshots and compaction of a running cluster; checking and restoring of files at rest.
#include <filesystem>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>

#include <msgpack.hpp>

#include "cli/commands.hpp"
#include "cli/http_client.hpp"
#include "cli/kubectl/kubectl.hpp"
#include "messages/document.hpp"
#include "runtime/placement/store_tools.hpp"

namespace troupe::cli {
namespace {

struct store_flags {
  std::string kubeconfig, data_dir, path;
  std::uint64_t revision = 0;
  // etcd's documentation recommends this much for Kubernetes: more than is written between a snapshot and its use.
  std::uint64_t bump = 1'000'000'000;
};

/// The API's words for an error of the server itself are left out: here it is the machine that speaks.
int refuse_store(const status& why) {
  constexpr std::string_view api_words = "Internal error occurred: ";
  std::string_view text = why.message;
  if (text.starts_with(api_words)) text.remove_prefix(api_words.size());
  return print_error(std::string(text));
}

/// The Status of an answer that is no success.
status status_of(const http_answer& answer) {
  auto parsed = document::parse(answer.body);
  const auto* message = parsed ? parsed->root().find("message") : nullptr;
  status out = make_status(answer.code == 404 ? reason::not_found : reason::internal_error,
                           message && message->is_string() ? std::string(message->string())
                                                           : "the server answered " + std::to_string(answer.code));
  out.message = message && message->is_string() ? std::string(message->string()) : out.message;
  out.code = static_cast<std::uint16_t>(answer.code);
  return out;
}

template <class Message>
result<Message> ask(http_client& client, const std::string& target) {
  auto answer = client.call("GET", target);
  if (!answer) return answer.error();
  if (answer->code != 200) return status_of(*answer);
  try {
    auto unpacked = msgpack::unpack(answer->body.data(), answer->body.size());
    return unpacked.get().as<Message>();
  } catch (const std::exception&) {
    return internal_error("the server's answer to " + target.substr(0, target.find('?')) + " cannot be read");
  }
}

runtime::store_source source_of(http_client& client) {
  runtime::store_source out;
  out.range = [&client](const store::range& what) {
    return ask<store::range_reply>(
        client, "/troupe/store/range?key=" + url_encode(what.key) + "&end=" + url_encode(what.range_end) +
                    "&revision=" + std::to_string(what.revision) + "&limit=" + std::to_string(what.limit));
  };
  out.lease = [&client](std::int64_t id) {
    return ask<store::ack>(client, "/troupe/store/lease?id=" + std::to_string(id));
  };
  return out;
}

int snapshot(const store_flags& given) {
  auto settings = read_kubeconfig(given.kubeconfig);
  if (!settings) return refuse_store(settings.error());
  http_client client(*settings);
  auto done = runtime::take_snapshot(source_of(client), given.path);
  if (!done) return refuse_store(done.error());
  std::cout << given.path << ": revision " << done->revision << ", " << done->keys << " keys, " << done->leases
            << " leases, " << done->bytes << " bytes\n";
  return 0;
}

int compact(const store_flags& given) {
  auto settings = read_kubeconfig(given.kubeconfig);
  if (!settings) return refuse_store(settings.error());
  http_client client(*settings);
  auto answer = client.call("POST", "/troupe/store/compact?revision=" + std::to_string(given.revision));
  if (!answer) return refuse_store(answer.error());
  if (answer->code != 200) return refuse_store(status_of(*answer));
  auto parsed = document::parse(answer->body);
  const auto* revision = parsed ? parsed->root().find("revision") : nullptr;
  if (!revision) return print_error("the server's answer cannot be read");
  std::cout << "compacted revision " << revision->integer() << "\n";
  return 0;
}

int verify(const store_flags& given) {
  auto found = runtime::verify_store(given.path);
  if (!found) return refuse_store(found.error());
  for (const auto& problem : found->problems) std::cerr << "troupe: " << problem << "\n";
  std::cout << given.path << ": revision " << found->revision << ", ";
  if (found->segments > 0)
    std::cout << found->segments << " segments, " << found->records << " records, ";
  else
    std::cout << found->keys << " keys, " << found->leases << " leases, ";
  std::cout << found->bytes << " bytes, ";
  std::cout << (found->problems.empty() ? "intact\n" : std::to_string(found->problems.size()) + " problems\n");
  return found->problems.empty() ? 0 : 1;
}

int restore(const store_flags& given) {
  auto done = runtime::restore_store(given.path, given.data_dir, given.bump);
  if (!done) return refuse_store(done.error());
  std::cout << given.data_dir << ": restored " << done->keys << " keys, " << done->leases
            << " leases; the store begins at revision " << done->revision << "\n";
  return 0;
}

}  // namespace

void add_store(CLI::App& app, int& exit_code) {
  auto given = std::make_shared<store_flags>();
  auto* store = app.add_subcommand("store", "Snapshots, compaction and checks of the store");
  store->require_subcommand(1);
  auto command = [&](const char* name, const char* about, int (*run)(const store_flags&)) {
    auto* made = store->add_subcommand(name, about);
    made->callback([given, &exit_code, run] { exit_code = run(*given); });
    return made;
  };
  auto* take = command("snapshot", "Write all objects of a running cluster, as of one revision, to a file", snapshot);
  take->add_option("--kubeconfig", given->kubeconfig);
  take->add_option("file", given->path, "file to write")->required();
  auto* put_back = command("restore", "Make a data directory's store of a snapshot", restore);
  put_back->add_option("file", given->path, "a snapshot")->required();
  put_back->add_option("--data-dir", given->data_dir, "data directory without a store")->required();
  put_back->add_option("--bump-revision", given->bump,
                       "how far revisions jump, so that clients notice that time went back");
  auto* check =
      command("verify", "Check every byte of a snapshot, or of the store of a cluster that does not run", verify);
  check->add_option("path", given->path, "snapshot or data directory")->required();
  auto* drop = command("compact", "Drop a running cluster's history; watches from before get 410 Gone", compact);
  drop->add_option("--kubeconfig", given->kubeconfig);
  drop->add_option("--revision", given->revision, "up to which revision; the newest if none is given");
}

}  // namespace troupe::cli
