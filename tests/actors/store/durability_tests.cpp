// kill -9 during a storm of writes; every page of the data files flipped and every page boundary cut. In processes of
// their own, so that a signal would be seen.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <random>

#include "actors/store/log/log_backend.hpp"
#include "actors/store/verify.hpp"
#include "tests/actors/store/fixture.hpp"
#include "tests/unit/store/world.hpp"

using namespace troupe;
using namespace troupe::store;
using namespace troupe::store::testing;
namespace fs = std::filesystem;

namespace {

/// One acknowledged write, as the child reports it.
struct acknowledged {
  std::uint32_t key = 0;
  std::uint32_t number = 0;
  std::uint64_t revision = 0;
};

std::string value_of(std::uint32_t key, std::uint32_t number) {
  std::string text = std::to_string(key) + "/" + std::to_string(number) + "/";
  return text + std::string(200 + number % 1000, static_cast<char>('a' + number % 26));
}

/// Keeps 32 writes in flight, each to a key of its own, and reports every acknowledgement. Ends by being killed.
[[noreturn]] void write_for_ever(const std::string& data_dir, int report_to) {
  real_system s;
  options how;
  how.data_dir = data_dir;
  how.segment_bytes = 1 << 20;
  how.policy.retain_revisions = 300;
  how.policy.clean_slack_bytes = 2 << 20;
  auto target = spawn(s.system, how);
  caf::scoped_actor self{s.system};
  const auto first = [&] {
    range r;
    r.key = "/k/";
    r.range_end = "/k0";
    self->send(caf::actor_cast<caf::actor>(target), r);
    std::uint64_t revision = 0;
    self->receive([&](range_reply& m) { revision = m.revision; });
    return static_cast<std::uint32_t>(revision);
  }();
  std::vector<std::uint32_t> numbers(32, first);  // above all of the runs before
  const auto send = [&](std::uint32_t key) {
    txn t;
    t.id = key;
    t.ops = {put_op("/k/" + std::to_string(key), value_of(key, numbers[key]))};
    self->send(caf::actor_cast<caf::actor>(target), std::move(t));
  };
  for (std::uint32_t key = 0; key < numbers.size(); ++key) send(key);
  for (;;) {
    self->receive([&](txn_reply& m) {
      const auto key = static_cast<std::uint32_t>(m.id);
      const acknowledged note{key, numbers[key], m.revision};
      if (!m.succeeded || ::write(report_to, &note, sizeof note) != sizeof note) ::_exit(3);
      ++numbers[key];
      send(key);
    });
  }
}

/// Runs `body` in a process of its own. Returns its exit code, or 1000 + the signal that ended it.
int in_child(const std::function<int()>& body) {
  const auto pid = ::fork();
  if (pid == 0) ::_exit(body());
  int state = 0;
  ::waitpid(pid, &state, 0);
  return WIFSIGNALED(state) ? 1000 + WTERMSIG(state) : WEXITSTATUS(state);
}

/// Every retained version's value by key@revision, and the current ones by key, as a fresh core reads them; an error
/// text where that is what reading gives.
struct outcome {
  std::string open_error;
  std::uint64_t revision = 0;
  std::map<std::string, std::string> values;
  std::map<std::string, std::string> errors;
};

outcome read_all(const std::string& data_dir) {
  log::log_options files;
  files.directory = data_dir + "/store";
  log::log_backend disk(files);
  core::state state{core::settings{}};
  outcome o;
  auto opened = disk.open([&](record r, location at) { core::recover(state, std::move(r), at); });
  if (!opened) {
    o.open_error = opened.error().message;
    return o;
  }
  core::finish_recovery(state, *opened, 0);
  o.revision = state.durable_revision;
  for (auto at = state.index.begin(); at != state.index.end(); ++at) {
    for (const auto& v : at->second.versions) {
      if (v.deleted()) continue;
      const bool current = &v == at->second.current();
      const std::string name = current ? at->first : at->first + "@" + std::to_string(v.mod);
      auto value = disk.read({v.at, v.mod});
      if (value) {
        o.values[name] = value->view();
      } else {
        o.errors[name] = value.error().message;
      }
    }
  }
  return o;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::uint32_t> segments_of(const std::string& data_dir) {
  auto numbers = log::list_segments(data_dir + "/store");
  return numbers ? *numbers : std::vector<std::uint32_t>();
}

/// 0: everything intact; 1: an error at opening or reading, the rest intact; more: what must never be.
int judge(const std::string& data_dir, const outcome& want) {
  const outcome got = read_all(data_dir);
  if (!got.open_error.empty()) return got.open_error.rfind("store: ", 0) == 0 ? 1 : 2;
  if (got.revision != want.revision) return 3;
  if (got.values.size() + got.errors.size() != want.values.size()) return 4;
  for (const auto& [key, value] : got.values) {
    auto at = want.values.find(key);
    if (at == want.values.end() || at->second != value) return 5;
  }
  for (const auto& [key, text] : got.errors) {
    if (text.find("is corrupt (checksum)") == std::string::npos) return 6;
  }
  return got.errors.empty() ? 0 : 1;
}

/// A data directory with several sealed segments, overwritten and erased keys, a lease and a compaction.
outcome make_data(const std::string& data_dir) {
  log::log_options files;
  files.directory = data_dir + "/store";
  files.segment_bytes = 128 << 10;
  files.first_allocation = files.next_allocation = 32 << 10;
  {
    world w({}, std::make_shared<log::log_backend>(files));
    w.grant(9, 1000);
    for (int i = 0; i < 500; ++i) {
      w.put("/k/" + std::to_string(i % 200), std::string(600, static_cast<char>('a' + i % 26)) + std::to_string(i));
      if (i % 50 == 49) w.erase("/k/" + std::to_string(i % 200));
    }
    w.compact_to(300);
    w.put("/last", "the very last write");
    w.disk->idle();
  }
  return read_all(data_dir);
}

}  // namespace

TEST_CASE("kill -9 at 20 random moments loses no acknowledged write") {
  directory d;
  std::mt19937_64 random(20);
  std::vector<acknowledged> newest(32);
  std::uint64_t revision = 0;
  std::size_t total = 0;
  for (int round = 0; round < 20; ++round) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const auto pid = ::fork();
    if (pid == 0) write_for_ever(d.path, ends[1]);
    ::close(ends[1]);
    auto left = 1 + random() % 3000;  // the moment, counted in acknowledgements
    acknowledged note;
    bool killed = false;
    while (::read(ends[0], &note, sizeof note) == sizeof note) {
      newest[note.key] = note;
      revision = std::max(revision, note.revision);
      ++total;
      if (--left == 0) killed = ::kill(pid, SIGKILL) == 0;
    }
    int state = 0;
    ::waitpid(pid, &state, 0);
    ::close(ends[0]);
    REQUIRE(killed);
    CAPTURE(round);
    const outcome got = read_all(d.path);
    REQUIRE(got.open_error == "");
    REQUIRE(got.errors.empty());
    REQUIRE(got.revision >= revision);
    for (std::uint32_t key = 0; key < newest.size(); ++key) {
      if (newest[key].revision == 0) continue;
      const auto& value = got.values.at("/k/" + std::to_string(key));
      // What was in flight may have made it as well.
      const bool acknowledged_one = value == value_of(key, newest[key].number);
      const bool next_one = value == value_of(key, newest[key].number + 1);
      REQUIRE((acknowledged_one || next_one));
    }
  }
  CHECK(total > 1000);
  CHECK(segments_of(d.path).front() > 1);  // cleaning was at work too
  CHECK(verify(d.path)->problems.empty());
}

TEST_CASE("a byte flipped in any page gives an error or intact data, never wrong data or a signal") {
  directory d;
  const outcome want = make_data(d.path);
  REQUIRE(want.values.size() > 150);
  std::mt19937_64 random(7);
  int pages = 0;
  for (const auto number : segments_of(d.path)) {
    const auto path = d.path + "/store/" + log::segment_name(number);
    const std::string whole = read_file(path);
    const auto used = whole.find_last_not_of('\0') + 1;
    for (std::size_t page = 0; page < whole.size(); page += 4096, ++pages) {
      const auto at = page + random() % std::min<std::size_t>(4096, whole.size() - page);
      std::string flipped = whole;
      flipped[at] ^= static_cast<char>(1 + random() % 255);
      const auto verdict = in_child([&] {
        directory copy;
        fs::copy(d.path, copy.path, fs::copy_options::recursive);
        std::ofstream(copy.path + "/store/" + log::segment_name(number), std::ios::binary) << flipped;
        const bool found = !verify(copy.path)->problems.empty();
        if (found != (at < used)) return 7;  // verify finds every flip, save in space that is not used
        return judge(copy.path, want);
      });
      CAPTURE(number);
      CAPTURE(at);
      REQUIRE(verdict <= 1);
    }
  }
  CHECK(pages > 80);
}

TEST_CASE("a file cut at any page boundary gives an error, never wrong data or a signal") {
  directory d;
  const outcome want = make_data(d.path);
  for (const auto number : segments_of(d.path)) {
    const auto name = "/store/" + log::segment_name(number);
    const auto size = fs::file_size(d.path + name);
    for (std::size_t cut = 0; cut < size; cut += 4096) {
      const auto verdict = in_child([&] {
        directory copy;
        fs::copy(d.path, copy.path, fs::copy_options::recursive);
        fs::resize_file(copy.path + name, cut);
        return judge(copy.path, want);
      });
      CAPTURE(number);
      CAPTURE(cut);
      REQUIRE(verdict == 1);
    }
  }
}

TEST_CASE("a file damaged or cut while it is served gives errors, not signals") {
  directory d;
  const auto verdict = in_child([&] {
    log::log_options files;
    files.directory = d.path + "/store";
    core::settings settings;
    settings.value_cache_bytes = 0;
    world w(settings, std::make_shared<log::log_backend>(files));
    w.put("a", std::string(8000, 'a'));
    w.put("b", std::string(8000, 'b'));
    fs::resize_file(d.path + "/store/" + log::segment_name(1), 12288);
    const auto a = w.get("a");
    const auto b = w.get("b");
    if (a.error.message != "store: record at revision 2 is corrupt (checksum)") return 2;
    return b.error.ok() ? 3 : 0;
  });
  CHECK(verdict == 0);
}
