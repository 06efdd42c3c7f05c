// A table of kernels by spec, device and sizes that is read without a lock.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "sagejit/sagejit.h"
#include "spec_key.h"
#include "tune/bucket.h"

namespace sagejit {

class KernelTable {
  public:
    // A kernel and what it came from, as text.
    struct Prepared {
        Kernel kernel;
        std::string source;
    };
    // The bucket of kernels that are for no sizes in particular; no shape has it.
    static constexpr ShapeBucket kAnySizes = {0, 0, 0};

    struct Key {
        Spec spec;
        int ordinal = 0;
        ShapeBucket bucket;
    };

  private:
    // One key, from its first preparation to the end of the process. The kernel itself may come and
    // go.
    struct Node {
        Key key;
        SpecNumbers numbers{};  // of key
        size_t hash = 0;        // of key
        std::atomic<const Prepared*> prepared = nullptr;
        std::atomic<int> readers = 0;
    };

  public:
    // A reader's hold on an entry: what it points to stays until the hold ends.
    class Hold {
      public:
        explicit Hold(Node* node) : node_(node) {
            if (node_ == nullptr) return;
            // Sequentially consistent, like the exchange and the look at readers in replace:
            // either that sees this reader, or this reader sees the new value.
            node_->readers.fetch_add(1);
            prepared_ = node_->prepared.load();
        }
        ~Hold() {
            if (node_ != nullptr) node_->readers.fetch_sub(1, std::memory_order_release);
        }
        Hold(const Hold&) = delete;
        Hold& operator=(const Hold&) = delete;

        explicit operator bool() const { return prepared_ != nullptr; }
        const Prepared* operator->() const { return prepared_; }

      private:
        Node* node_;
        const Prepared* prepared_ = nullptr;
    };

    KernelTable();
    // What is there for the spec, names aside. No lock, no memory.
    Hold find(const Spec& spec, const Device& device, const ShapeBucket& bucket = kAnySizes) const;
    // Puts a kernel in the place of the one before, or nullptr to leave none. Waits for readers of
    // the one before. True where there was one.
    bool replace(const Key& key, std::unique_ptr<const Prepared> prepared);
    // All keys with a kernel.
    std::vector<Key> list() const;

  private:
    // Open addressing; a full slot never changes.
    struct Slots {
        explicit Slots(size_t size) : mask(size - 1), nodes(size) {}
        size_t mask;
        std::vector<std::atomic<Node*>> nodes;
    };

    // A key by reference, with its numbers and hash.
    struct Wanted;

    Node* find_node(const Wanted& wanted) const;
    Node& find_or_add_node(const Key& key, const Wanted& wanted);
    static void insert(Slots& slots, Node* node);

    mutable std::mutex mutex_;  // of those who write
    std::atomic<Slots*> slots_;
    std::vector<std::unique_ptr<Slots>> all_slots_;  // also outgrown ones: somebody may read them
    std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace sagejit
