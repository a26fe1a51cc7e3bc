// A list of any length of which only the rows in sight exist. Rows are of one height and keep their places.
import { h } from "./dom.js";

const SPARE = 8; // rows beyond each edge

export class WindowList {
  /** `draw(row)` makes the element of a row; `rowHeight()` its height in pixels. */
  constructor(scroller, draw, rowHeight) {
    this.rows = [];
    this.scroller = scroller;
    this.draw = draw;
    this.rowHeight = rowHeight;
    this.shown = new Map(); // row key: { element, row, place }
    this.space = h("div.space", { role: "rowgroup" });
    this.frame = 0;
    scroller.append(this.space);
    scroller.addEventListener("scroll", () => this.later(), { passive: true });
    this.size = new ResizeObserver(() => this.later());
    this.size.observe(scroller);
  }

  /** Show these rows, from now on in this order. */
  set(rows) {
    this.rows = rows;
    this.later();
  }

  later() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
    });
  }

  paint() {
    const height = this.rowHeight();
    const total = `${this.rows.length * height}px`;
    if (this.space.style.height !== total) this.space.style.height = total;
    const top = this.scroller.scrollTop;
    const first = Math.max(0, Math.floor(top / height) - SPARE);
    const last = Math.min(this.rows.length, Math.ceil((top + this.scroller.clientHeight) / height) + SPARE);
    const wanted = new Set();
    for (let place = first; place < last; place += 1) wanted.add(this.rows[place].id);
    for (const [id, drawn] of this.shown) {
      if (!wanted.has(id)) {
        drawn.element.remove();
        this.shown.delete(id);
      }
    }
    for (let place = first; place < last; place += 1) {
      const element = this.put(this.rows[place], place, height);
      const there = this.space.children[place - first] ?? null; // in order, for those who hear it read
      if (element !== there) this.space.insertBefore(element, there);
    }
  }

  put(row, place, height) {
    let drawn = this.shown.get(row.id);
    if (!drawn || drawn.row !== row) {
      const element = this.draw(row, place);
      drawn?.element.remove();
      drawn = { element, row, place: -1 };
      this.shown.set(row.id, drawn);
    }
    if (drawn.place !== place || drawn.height !== height) {
      drawn.place = place;
      drawn.height = height;
      drawn.element.style.transform = `translateY(${place * height}px)`;
      drawn.element.setAttribute("aria-rowindex", place + 2);
    }
    return drawn.element;
  }

  element(id) {
    return this.shown.get(id)?.element ?? null;
  }

  /** Draw everything in sight anew. */
  redraw() {
    for (const { element } of this.shown.values()) element.remove();
    this.shown.clear();
    this.later();
  }

  /** Scroll so that a row is in sight. */
  reveal(place) {
    const height = this.rowHeight();
    const top = place * height;
    if (top < this.scroller.scrollTop) this.scroller.scrollTop = top;
    else if (top + height > this.scroller.scrollTop + this.scroller.clientHeight) this.scroller.scrollTop = top + height - this.scroller.clientHeight;
    this.paint();
  }

  close() {
    this.size.disconnect();
    cancelAnimationFrame(this.frame);
  }
}
